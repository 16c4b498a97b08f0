"""What cannot be ended, what is frozen, and too much of everything. Numbers are rows of the fault catalogue."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from native_house import House, eventually, lives
from required import missing

from las_jupyter.core.errors import StopFailed
from las_jupyter.core.launch import RestartRule, StopRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState, ProcessState, RestartPolicy
from las_jupyter.logs.reader import LogReader

pytestmark = pytest.mark.native

Freeze = Callable[[int | None, bool], None]


@pytest.fixture
def freeze() -> Iterator[Freeze]:
    """Freeze or thaw a process so that not even KILL reaches it (cgroup v1 freezer)."""
    folder = Path("/sys/fs/cgroup/freezer") / f"las-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "freezer.state").read_text()
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"native: no cgroup v1 freezer to be had here ({error.strerror})")

    def freeze(pid: int | None, frozen: bool) -> None:
        if frozen:
            (folder / "cgroup.procs").write_text(str(pid))
        word = "FROZEN" if frozen else "THAWED"
        (folder / "freezer.state").write_text(word)
        eventually(lambda: (folder / "freezer.state").read_text().strip() == word, f"it is {word}")

    yield freeze
    (folder / "freezer.state").write_text("THAWED")
    eventually(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
    folder.rmdir()


@pytest.mark.slow
def test_12_what_cannot_be_ended_is_named_and_never_said_to_be_stopped(freeze: Freeze, house: House) -> None:
    snapshot = house.start()
    freeze(snapshot.pid, True)

    with pytest.raises(StopFailed) as caught:
        house.manager.stop("one", grace=0.2)

    seen = house.manager.snapshot("one")
    assert str(snapshot.pid) in str(caught.value.cause)
    assert seen.state is ProcessState.STOPPING
    assert house.manager.start(house.manager.spec("one"), {}).reused
    freeze(snapshot.pid, False)
    assert house.until(ProcessState.STOPPED)
    assert not lives(snapshot.pid)


def test_62_a_frozen_server_is_unhealthy_and_healthy_again_and_nothing_is_ended(freeze: Freeze, house: House) -> None:
    snapshot = house.start(served=True)

    freeze(snapshot.pid, True)
    eventually(lambda: house.manager.snapshot("one").health.state == "unhealthy", "it is unhealthy")
    freeze(snapshot.pid, False)
    eventually(lambda: house.manager.snapshot("one").health.state == "healthy", "it is healthy again")

    after = house.manager.snapshot("one")
    assert (after.state, after.pid, after.generation) == (ProcessState.RUNNING, snapshot.pid, 1)


def test_15_a_bounded_fork_bomb_is_ended_and_costs_its_supervisor_little(house: House) -> None:
    other = house.start(name="other")
    script = "i=0; while [ $i -lt 200 ]; do sleep 300 & i=$((i+1)); done; echo up; wait"
    spec = house.spec()._replace(argv=("sh", "-c", script))
    house.manager.start(spec, {})
    snapshot = house.manager.wait_ready("one", timeout=20)
    began = time.monotonic()

    house.manager.stop("one", grace=0.2)

    assert time.monotonic() - began < 5
    assert not [line for line in house.processes().values() if line.startswith("sleep 300")]
    assert lives(other.pid)
    assert snapshot.supervisor_pid


def test_42_a_line_without_end_costs_the_supervisor_no_memory(house: House) -> None:
    script = "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo up; exec sleep 300"
    house.manager.start(house.spec()._replace(argv=("sh", "-c", script)), {})
    snapshot = house.manager.wait_ready("one", timeout=30)

    status = Path(f"/proc/{snapshot.supervisor_pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    assert peak < 30_000
    lines = house.manager.log("one").tail(2)
    assert lines[-1] == "up"
    assert len(lines[0]) < 20_000


@pytest.fixture
def wall_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Step the wall clock of every supervisor and server that is started from now on; the monotonic one stays."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        missing("faketime", "the library that gives a process another clock is not installed")
    step = tmp_path / "clock"
    step.write_text("+0")
    for name, value in {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(step), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def to(when: str) -> None:
        beside = step.with_suffix(".new")
        beside.write_text(when)
        beside.replace(step)

    return to


def health_is(house: House, state: HealthState) -> Snapshot | None:
    found = house.manager.snapshot("one")
    return found if found.health.state is state else None


@pytest.mark.parametrize("step", ["+360000", "-360000", "@1970-01-02 00:00:00"])
def test_21_a_step_of_the_wall_clock_moves_no_deadline(
    house: House, wall_clock: Callable[[str], None], tmp_path: Path, step: str
) -> None:
    status = tmp_path / "status"
    status.write_text("200")
    began = house.start("deaf", f"status={status}", served=True, stop=StopRule(grace=1.5), env={"LD_PRELOAD": ""})

    wall_clock(step)
    status.write_text("500")
    seen = eventually(lambda: health_is(house, HealthState.UNHEALTHY), "it is seen to be ill")
    stepped = 86_400.0 if step[0] == "@" else time.time() + int(step)
    assert abs((seen.health.at or 0) - stepped) < 90_000, "its supervisor has the new clock"
    status.write_text("200")
    seen = eventually(lambda: health_is(house, HealthState.HEALTHY), "it is seen to be well")
    assert (seen.state, seen.supervisor_pid, seen.pid) == (ProcessState.RUNNING, began.supervisor_pid, began.pid)

    asked = time.monotonic()
    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert 1.4 < time.monotonic() - asked < 10, "the grace is neither cut nor stretched"
    log = LogReader(seen.log_path)
    assert log.since(0.0) == log.tail(10), "the index stays in order"


@pytest.mark.parametrize("step", ["+3600", "-3600"])
def test_21_a_restart_waits_as_long_as_it_was_to_wait(
    house: House, wall_clock: Callable[[str], None], tmp_path: Path, step: str
) -> None:
    go = tmp_path / "go"
    rule = RestartRule(RestartPolicy.ON_FAILURE, first=2.0)
    house.start(f"after_file={go}:3", restart=rule, env={"LD_PRELOAD": ""})
    ended = time.monotonic()
    go.touch()
    house.until(ProcessState.BACKOFF)
    go.unlink()
    wall_clock(step)

    house.until(ProcessState.RUNNING)
    assert 1.5 < time.monotonic() - ended < 15
    assert house.manager.snapshot("one").generation == 2


def test_21_no_wait_depends_on_the_wall_clock() -> None:
    """Waits are monotonic; the wall clock is read for display, and for a restart another supervisor had planned."""
    root = Path(__file__).parents[2] / "las_jupyter"
    found = {}
    for room in ("supervisor", "health", "backends/native.py", "backends/process_id.py", "state/lock.py"):
        for path in [root / room] if room.endswith(".py") else (root / room).glob("*.py"):
            lines = [line.strip() for line in path.read_text().splitlines() if "time.time()" in line]
            found.update({line: path.name for line in lines if "deadline" in line or "timers.set" in line})

    assert list(found.values()) in ([], ["process.py"]), found


def test_61_an_instance_that_ended_with_its_session_is_not_said_to_run(house: House, tmp_path: Path) -> None:
    """A logout or the end of a pod ends supervisor and server alike."""
    snapshot = house.start()
    for pid in (snapshot.supervisor_pid, snapshot.pid):
        os.kill(pid or 0, 9)
    eventually(lambda: not lives(snapshot.pid), "both are gone")

    seen = house.manager.snapshot("one")

    assert seen.state is ProcessState.FAILED
    assert seen.exit
    assert seen.exit.code is None


def test_a_house_that_was_moved_away_is_no_trouble_to_look_at(house: House) -> None:
    house.start()
    house.manager.stop("one")
    eventually(lambda: not house.processes(), "the supervisor ended")

    shutil.rmtree(house.paths.state_dir)

    assert house.manager.snapshots() == ()
