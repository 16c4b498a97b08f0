"""The life of a native instance as a client sees it, from start to removal."""

from __future__ import annotations

from pathlib import Path

import pytest
from native_house import House, house, lives

from las_jupyter.core.states import HealthState, ProcessState

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
