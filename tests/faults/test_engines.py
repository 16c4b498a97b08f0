"""Engines that are killed, hang or are started again below running containers: real ones, of these tests alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import BASE, ask, ready_engine
from native_house import House, eventually, lives
from own_docker import OwnDocker, own_docker

from las_jupyter.core.launch import ContainerSpec, LaunchSpec, LiveRule, LogProbe, ReadyRule, StopRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState

COUNTING = "echo up; i=0; while :; do echo line $i; i=$((i+1)); sleep 0.02; done"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for the paths of sockets are bounded."""
    place = Path(tempfile.mkdtemp(prefix="las-dkr"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def restoring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDocker]:
    """A Docker engine that leaves containers alone when it ends."""
    engine = own_docker(folder, monkeypatch, live_restore=True)
    yield engine
    engine.close()


@pytest.fixture
def ending(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDocker]:
    """A Docker engine as it is installed: it stops what it finds running when it begins."""
    engine = own_docker(folder, monkeypatch, live_restore=False)
    yield engine
    engine.close()


def start(house: House, engine: str) -> Snapshot:
    spec = LaunchSpec(
        "one", "counting", Mode.CONTAINER, engine, ("sh", "-c", COUNTING),
        container=ContainerSpec(BASE, user="65534:65534", pull="never"), ready=ReadyRule(LogProbe("^up$")),
        live=LiveRule(every=0.2), stop=StopRule(grace=1.0),
    )  # fmt: skip
    house.manager.start(spec, {})
    return house.manager.wait_ready("one", timeout=30)


def lines(house: House) -> list[str]:
    return [line for line in house.log().decode().splitlines() if line.startswith("line ")]


def grown(house: House, by: int = 30) -> None:
    """Wait until so many lines more were collected."""
    before = len(lines(house))
    eventually(lambda: len(lines(house)) >= before + by, "the log grows", within=30)


def health_is(house: House, state: HealthState, within: float = 45.0) -> Snapshot:
    def look() -> Snapshot | None:
        found = house.manager.snapshot("one")
        return found if found.health.state is state else None

    return eventually(look, f"its health is {state}", within=within)


def complete(house: House) -> bool:
    """No line is missing and none is there twice."""
    found = lines(house)
    return found == [f"line {number}" for number in range(len(found))]


@pytest.mark.docker
def test_55_a_container_outlives_its_killed_engine_and_nothing_of_its_log_is_lost(
    house: House, restoring: OwnDocker
) -> None:
    begun = start(house, "docker")
    grown(house)

    restoring.signal(signal.SIGKILL)
    seen = health_is(house, HealthState.UNKNOWN)

    assert seen.state is ProcessState.RUNNING
    assert "docker does not answer" in seen.health.reason
    assert lives(begun.pid)

    restoring.up()
    seen = health_is(house, HealthState.HEALTHY)
    assert (seen.state, seen.pid, seen.generation) == (ProcessState.RUNNING, begun.pid, 1)
    grown(house)
    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert complete(house)
    assert not lives(begun.pid)
    assert restoring.ask("ps", "-aq") == ""


@pytest.mark.docker
def test_55_a_container_that_its_engine_ended_at_its_own_start_is_told_so(house: House, ending: OwnDocker) -> None:
    begun = start(house, "docker")
    grown(house)

    ending.signal(signal.SIGKILL)
    health_is(house, HealthState.UNKNOWN)
    ending.up()

    seen = house.until(ProcessState.FAILED, within=60)
    assert seen.exit
    assert "docker was restarted, and stopped it" in seen.exit.text
    assert seen.exit.oom is not True
    assert not lives(begun.pid)
    assert complete(house)


@pytest.mark.docker
def test_55_an_end_while_the_engine_was_away_is_known_afterwards(house: House, restoring: OwnDocker) -> None:
    begun = start(house, "docker")
    restoring.signal(signal.SIGKILL)

    os.kill(begun.pid or 0, signal.SIGKILL)
    eventually(lambda: not lives(begun.pid), "it ended")
    seen = house.manager.snapshot("one")
    assert seen.state is not ProcessState.STOPPED, "nobody can know yet how it ended"
    restoring.up()

    seen = house.until(ProcessState.FAILED, within=60)
    assert seen.exit
    assert seen.exit.signal == "SIGKILL"
    assert complete(house)


@pytest.mark.docker
def test_59_an_engine_that_hangs_makes_health_unknown_and_ends_nothing(house: House, restoring: OwnDocker) -> None:
    begun = start(house, "docker")

    restoring.signal(signal.SIGSTOP)
    seen = health_is(house, HealthState.UNKNOWN)
    assert seen.state is ProcessState.RUNNING
    assert lives(begun.pid)
    restoring.signal(signal.SIGCONT)

    assert health_is(house, HealthState.HEALTHY).pid == begun.pid
    house.manager.stop("one")
    assert complete(house)


def parent(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text[text.rindex(")") + 2 :].split()[1])


@pytest.mark.docker
def test_58_a_container_whose_shim_was_killed_is_not_said_to_run(house: House, restoring: OwnDocker) -> None:
    begun = start(house, "docker")
    shim = parent(begun.pid or 0)
    assert Path(f"/proc/{shim}/comm").read_text().startswith("containerd-shim")

    os.kill(shim, signal.SIGKILL)

    seen = house.until(ProcessState.FAILED, within=60)
    assert seen.exit
    assert seen.exit.code is None
    eventually(lambda: not lives(begun.pid), "its process is gone")


@pytest.mark.podman
def test_58_a_container_whose_monitor_was_killed_is_ended_and_its_status_is_unknown(house: House) -> None:
    ready_engine("podman")
    begun = start(house, "podman")
    monitor = parent(begun.pid or 0)
    assert Path(f"/proc/{monitor}/comm").read_text().strip() == "conmon"

    os.kill(monitor, signal.SIGKILL)
    eventually(lambda: not lives(monitor), "the monitor is dead")
    assert house.manager.snapshot("one").state is not ProcessState.STOPPED
    house.manager.stop("one", grace=0.5)

    seen = house.manager.snapshot("one")
    assert not seen.state.alive
    assert not lives(begun.pid)
    assert seen.exit
    assert seen.exit.code is None
    name = f"las-{os.getuid()}-one"
    assert subprocess.run(["podman", "container", "exists", name], check=False).returncode == 1
    assert ask("podman", "ps", "-q", "--filter", "label=las.instance=one") == ""
