"""A supervisor dies, or another client acts, in the middle of what a client waits for."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from native_house import House, eventually, lives

from las_jupyter.core.errors import InstanceConflict, LasError, NoSuchInstance
from las_jupyter.core.launch import LogProbe, ReadyRule, RestartRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import ProcessState, RestartPolicy
from las_jupyter.state.files import read_value, write_value
from las_jupyter.state.lock import Lock, is_held

pytestmark = pytest.mark.native


def when(look: Callable[[], object], do: Callable[[], object]) -> threading.Thread:
    """A thread that does ``do`` once ``look`` is true."""

    def run() -> None:
        deadline = time.monotonic() + 15
        while not look() and time.monotonic() < deadline:
            time.sleep(0.01)
        do()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def killing(house: House) -> Callable[[], object]:
    """Kill the supervisor that the state file names; nobody is asked, so nothing is restored."""

    def kill() -> None:
        found = read_value(house.paths.state("one"), Snapshot)
        assert found and found.supervisor_pid
        os.kill(found.supervisor_pid, signal.SIGKILL)

    return kill


def says(house: House, words: bytes) -> Callable[[], object]:
    return lambda: any(words in path.read_bytes() for path in Path(house.paths.log_dir).rglob("*.log"))


def test_a_wait_without_limit_outlives_the_supervisor(house: House) -> None:
    ready = ReadyRule(LogProbe("^go$"))
    go = house.folder / "go"
    late = f"until [ -e {go} ]; do sleep 0.02; done; echo go; sleep 600"
    house.manager.start(house.spec(ready=ready)._replace(argv=("sh", "-c", late)), {})
    waited = threading.Event()

    def kill() -> None:
        killing(house)()
        eventually(lambda: len(house.manager.events("one")) > 2, "a new supervisor")
        time.sleep(0.1)
        go.touch()
        waited.set()

    killer = when(lambda: True, kill)
    snapshot = house.manager.wait_ready("one")
    killer.join()

    assert waited.is_set()
    assert snapshot.state is ProcessState.RUNNING


def test_a_stop_outlives_the_supervisor_and_returns_when_nothing_is_left(house: House) -> None:
    pid = house.start("stop_takes=1").pid
    killer = when(says(house, b"got a stop signal"), killing(house))

    ended = house.manager.stop("one")
    killer.join()

    assert ended.state is ProcessState.STOPPED
    assert not lives(pid)


def test_a_restart_outlives_the_supervisor(house: House) -> None:
    pid = house.start("stop_takes=0.5").pid
    killer = when(says(house, b"got a stop signal"), killing(house))

    house.manager.restart("one")
    killer.join()

    again = house.manager.wait_ready("one", timeout=20)
    assert again.generation == 2
    assert again.pid != pid


def test_a_restart_is_never_later_than_its_rule_allows_though_the_clock_was_set_back(house: House) -> None:
    rule = RestartRule(RestartPolicy.ON_FAILURE, first=1.0, factor=1.0, cap=1.0, max_tries=1)
    house.manager.start(house.spec("ends=0.1:1", restart=rule), {})
    waiting = house.until(ProcessState.BACKOFF)
    killing(house)()
    eventually(lambda: not lives(waiting.supervisor_pid), "the supervisor is dead")
    write_value(house.paths.state("one"), waiting._replace(next_restart_at=time.time() + 86_400))

    assert house.until(ProcessState.FAILED).generation == 2


@pytest.mark.parametrize("name", [b"a b", "größe".encode(), b"\xff bytes", b"100% {x}"])
def test_a_state_folder_may_have_any_name(tmp_path: Path, name: bytes) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    folder.mkdir()
    house = House(folder)
    try:
        assert house.start().state is ProcessState.RUNNING
        house.kill_supervisor()
        assert house.manager.snapshot("one").supervised
        assert house.manager.log("one").tail(1) == ["up"]
    finally:
        house.close()


def test_a_state_folder_that_became_unsafe_does_not_end_the_supervisor(house: House) -> None:
    snapshot = house.start()
    instances = Path(house.paths.instances)
    instances.rename(house.folder / "moved")
    instances.mkdir(mode=0o777)
    instances.chmod(0o777)
    time.sleep(5.5)  # it looks after its folder every five seconds

    assert lives(snapshot.supervisor_pid)
    instances.rmdir()
    (house.folder / "moved").rename(instances)


def test_starting_and_forgetting_one_name_at_once_ends_in_one_of_them_and_never_in_an_accident(house: House) -> None:
    spec, accidents = house.spec(), multiprocessing.get_context("fork").Queue()
    allowed = (InstanceConflict, NoSuchInstance)

    def client(*verbs: Callable[[], object]) -> None:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for verb in verbs:
                try:
                    verb()
                except Exception as error:
                    if not isinstance(error, allowed):
                        accidents.put(repr(error) + str(getattr(error, "cause", "")))
                    time.sleep(0.001)

    start = partial(house.manager.start, spec, {})
    end = partial(house.manager.stop, "one", grace=0.2), partial(house.manager.remove, "one")
    kind = multiprocessing.get_context("fork").Process
    clients = [kind(target=client, args=verbs) for verbs in ((start,), (start,), end, end)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()

    assert accidents.empty(), accidents.get()
    house.manager.start(spec, {})
    assert house.manager.wait_ready("one", timeout=20).state is ProcessState.RUNNING


def test_what_cannot_be_forgotten_is_said_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.start()
    house.manager.stop("one")
    eventually(lambda: not is_held(house.paths.lock("one")), "its supervisor is over")

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "a file system is mounted there")

    with monkeypatch.context() as patch, pytest.raises(LasError, match="is not forgotten"):
        patch.setattr(os, "rename", busy)
        house.manager.remove("one")

    assert house.manager.names() == ["one"]


def test_what_is_in_the_way_of_forgetting_stays_and_is_no_obstacle(house: House) -> None:
    house.start()
    house.manager.stop("one")
    eventually(lambda: not is_held(house.paths.lock("one")), "its supervisor is over")
    in_the_way = Path(house.paths.instances) / ".one.gone"
    in_the_way.write_text("somebody's")

    assert house.manager.remove("one") == (str(in_the_way),)

    assert house.manager.names() == []
    assert in_the_way.read_text() == "somebody's"
    in_the_way.unlink()


def test_a_stop_waits_for_the_successor_of_a_supervisor_that_died_a_moment_ago(house: House) -> None:
    """Until its successor listens, the lock is held and nobody answers."""
    pid = house.start().pid
    house.kill_supervisor()
    lock = Lock(house.paths.lock("one"))
    assert lock.acquire()
    successor = threading.Timer(0.5, lock.release)
    successor.start()

    ended = house.manager.stop("one")
    successor.join()

    assert ended.state is ProcessState.STOPPED
    assert not lives(pid)
