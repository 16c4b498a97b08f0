"""The life of a native instance as a client sees it, from start to removal."""

from __future__ import annotations

from pathlib import Path

import pytest
from native_house import House, eventually, house, lives

from las_jupyter.core.states import HealthState, ProcessState
from las_jupyter.resources.measured import read_measurements

__all__ = ["house"]

pytestmark = pytest.mark.native


def test_an_instance_lives_from_start_to_removal(house: House) -> None:
    spec = house.spec("ready_after=0.3", served=True)

    started = house.manager.start(spec, {"api_key": "k"})
    assert (started.reused, started.snapshot.state) == (False, ProcessState.STARTING)
    ready = house.manager.wait_ready("one", timeout=20)
    assert ready.health.state is HealthState.HEALTHY
    assert ready.url == f"http://127.0.0.1:{spec.ports[0].host}"
    assert ready.reason.startswith("ready after")
    usage = house.manager.usage("one")
    assert usage
    assert usage.processes == 1
    assert usage.memory > 1_000_000
    assert house.manager.start(spec, {}).reused
    assert house.manager.secrets("one") == {"api_key": "k"}

    again = house.manager.restart("one")
    assert again.generation == 2
    assert house.manager.wait_ready("one", timeout=20).pid != ready.pid
    assert not lives(ready.pid)

    stopped = house.manager.stop("one")
    assert (stopped.state, stopped.pid) == (ProcessState.STOPPED, None)
    assert stopped.exit
    assert (stopped.exit.code, stopped.exit.requested) == (0, True)
    assert house.manager.stop("one").state is ProcessState.STOPPED
    told = [event.event for event in house.manager.events("one")]
    assert told == [
        "start requested", "Launched", "BecameReady", "RestartRequested", "MainEnded", "NothingLeft", "Launched",
        "BecameReady", "StopRequested", "MainEnded", "NothingLeft",
    ]  # fmt: skip
    assert [entry.name[:4] for entry in sorted(Path(house.paths.logs("one")).glob("*.log"))] == ["0001", "0002"]

    house.manager.remove("one")
    assert house.manager.names() == []


def test_a_restart_of_what_ended_starts_it_as_it_was(house: House) -> None:
    house.start("says=same")
    house.manager.stop("one")

    again = house.manager.restart("one")

    assert again.generation == 2
    assert house.manager.wait_ready("one").state is ProcessState.RUNNING
    assert house.log().startswith(b"same\n")


def test_what_a_server_used_is_kept_for_the_plans_to_come(house: House) -> None:
    house.manager.start(house.spec("ready_after=0.1", served=True, memory_key="fake with a habit"), {})
    ready = house.manager.wait_ready("one", timeout=20)

    usage = house.manager.usage("one")
    house.manager.stop("one")

    kept = read_measurements(house.paths.state_dir)["fake with a habit"]
    assert usage and usage.memory <= kept.memory < 2 * usage.memory
    assert kept.at >= (ready.ready_at or 0)
    house.manager.remove("one")
    assert read_measurements(house.paths.state_dir)


def test_the_most_it_used_is_seen_though_nobody_asks(house: House) -> None:
    house.start("says=same")

    eventually(lambda: house.manager.snapshot("one").memory_peak, "its supervisor looks by itself")
    assert house.manager.restart("one").memory_peak is None
