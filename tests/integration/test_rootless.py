"""Podman without root, where it may make no control group: the limits are then ours to keep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import BASE, ready_engine
from native_house import House, eventually, lives

from las_jupyter.backends.oci_backend import OciBackend
from las_jupyter.backends.table import load_backend
from las_jupyter.core.launch import ContainerSpec, LaunchSpec, Limits, LogProbe, ReadyRule, StopRule
from las_jupyter.core.states import Mode, ProcessState

pytestmark = pytest.mark.podman


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house whose engine enforces no limits."""
    ready_engine("podman")
    backend = load_backend("podman")
    assert isinstance(backend, OciBackend)
    if backend.engine().limits_enforced():
        pytest.skip("this Podman enforces limits itself")
    place = House(tmp_path)
    yield place
    place.close()


def spec(script: str, **limits: int) -> LaunchSpec:
    user = f"{os.getuid()}:{os.getgid()}"
    return LaunchSpec(
        "one", "script", Mode.CONTAINER, "podman", ("sh", "-c", script), limits=Limits(**limits),  # type: ignore[arg-type]
        container=ContainerSpec(BASE, user=user, pull="never"), ready=ReadyRule(LogProbe("^up$")),
        stop=StopRule(grace=1.0),
    )  # fmt: skip


def test_what_a_server_uses_is_told_and_its_end_is_seen_at_once(house: House) -> None:
    house.manager.start(spec("echo up; exec tail -c 50m /dev/zero | sleep 600"), {})
    seen = house.manager.wait_ready("one", timeout=30)
    assert lives(seen.pid)
    eventually(lambda: house.manager.usage("one").memory > 40 * 2**20, "its memory is seen", within=30)
    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert not lives(seen.pid)


def test_memory_above_the_limit_ends_it_and_says_so(house: House) -> None:
    house.manager.start(spec("echo up; sleep 1; exec tail -c 200m /dev/zero", memory=64 * 2**20), {})
    assert house.manager.snapshot("one").enforcement["memory"] == "watched"
    seen = house.until(ProcessState.FAILED, within=30)
    assert seen.exit
    assert "more than its limit of 64.0 MiB" in seen.exit.text


def test_too_many_processes_end_it_and_say_so(house: House) -> None:
    house.manager.start(spec("echo up; for i in $(seq 40); do sleep 600 & done; wait", pids=20), {})
    seen = house.until(ProcessState.FAILED, within=30)
    assert seen.exit
    assert "more than its limit of 20" in seen.exit.text
