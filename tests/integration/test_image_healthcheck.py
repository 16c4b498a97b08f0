"""An image's own HEALTHCHECK, on both engines, where the manifest has no probe."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import BASE, ask, ready_engine
from native_house import House, eventually

from las_jupyter.core.launch import ContainerSpec, LaunchSpec, LiveRule, LogProbe, ReadyRule, StopRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
CHECKED = "localhost/las-checked:1"
CHECK = "test -e /tmp/well && echo all is well || { echo nothing is well; exit 1; }"
NAME = f"las-{os.getuid()}-one"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An engine that has an image with a check."""
    name = str(request.param)
    ready_engine(name)
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nHEALTHCHECK --interval=1s --retries=1 CMD {CHECK}\n")
    form = ("--format", "docker") if name == "podman" else ()
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(
        [name, "build", *form, "-t", CHECKED, tmp_path],
        check=True, capture_output=True, timeout=120, env=environment, cwd="/",
    )  # fmt: skip
    yield name
    ask(name, "rmi", "-f", CHECKED)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    place = House(tmp_path)
    yield place
    place.close()


def spec(engine: str, script: str, **more: object) -> LaunchSpec:
    plain = LaunchSpec(
        "one", "checked", Mode.CONTAINER, engine, ("sh", "-c", script),
        container=ContainerSpec(CHECKED, user="65534:65534", pull="never"),
        live=LiveRule(every=0.3), stop=StopRule(grace=1.0),
    )  # fmt: skip
    return plain._replace(**more)  # type: ignore[arg-type]


def health_is(house: House, state: HealthState) -> Snapshot:
    def look() -> Snapshot | None:
        found = house.manager.snapshot("one")
        return found if found.health.state is state else None

    return eventually(look, f"its health is {state}", within=30)


def test_the_images_own_check_says_when_it_is_ready_and_when_it_is_ill(engine: str, house: House) -> None:
    house.manager.start(spec(engine, "sleep 2; touch /tmp/well; exec sleep 600"), {})
    assert house.manager.snapshot("one").state is ProcessState.STARTING, "not ready before its check says so"
    seen = house.manager.wait_ready("one", timeout=30)
    assert seen.health.state is HealthState.HEALTHY
    assert "the image's own check says healthy" in seen.health.reason

    ask(engine, "exec", NAME, "rm", "/tmp/well")
    ill = health_is(house, HealthState.UNHEALTHY)
    assert ill.state is ProcessState.RUNNING, "an ill module is told, not ended"
    assert "nothing is well" in ill.health.reason

    ask(engine, "exec", NAME, "touch", "/tmp/well")
    health_is(house, HealthState.HEALTHY)
    assert house.manager.stop("one").state is ProcessState.STOPPED


def test_a_probe_of_the_manifest_goes_before_the_images_check(engine: str, house: House) -> None:
    house.manager.start(spec(engine, "echo up; exec sleep 600", ready=ReadyRule(LogProbe("^up$"))), {})
    seen = house.manager.wait_ready("one", timeout=30)
    assert seen.state is ProcessState.RUNNING
    assert "image's own check" not in seen.health.reason
    house.manager.stop("one")
