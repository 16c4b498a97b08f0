"""Forgetting an instance whose supervisor tells the end before it is over."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from las_jupyter.core.errors import InstanceConflict
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.runtime import manager as rooms
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.files import write_value
from las_jupyter.state.lock import Lock
from las_jupyter.state.paths import StatePaths


@pytest.fixture
def ended(tmp_path: Path) -> Manager:
    """An instance called ``chat`` that has ended, and a lock on it that nobody holds."""
    paths = StatePaths(str(tmp_path), str(tmp_path / "logs"))
    Path(paths.instance("chat")).mkdir(parents=True, mode=0o700)
    Path(paths.logs("chat")).mkdir(parents=True)
    write_value(paths.state("chat"), Snapshot("chat", "x", Mode.NATIVE, "native", ProcessState.STOPPED, "stopped"))
    return Manager(paths)


def test_what_has_ended_is_forgotten_with_its_logs(ended: Manager) -> None:
    ended.remove("chat")

    assert not Path(ended.paths.instance("chat")).exists()
    assert not Path(ended.paths.logs("chat")).exists()


def test_the_last_words_of_a_supervisor_do_not_bring_it_back(ended: Manager) -> None:
    lock = Lock(ended.paths.lock("chat"))
    assert lock.acquire()
    last_words = ended.paths.state("chat")
    before = Snapshot("chat", "x", Mode.NATIVE, "native", ProcessState.STOPPED, "the last words")

    def end() -> None:
        # A supervisor makes its folder again when somebody deleted it.
        Path(last_words).parent.mkdir(exist_ok=True)
        write_value(last_words, before)
        lock.release()

    ending = threading.Timer(0.2, end)
    ending.start()
    ended.remove("chat")
    ending.join()

    assert not Path(ended.paths.instance("chat")).exists()


def test_a_supervisor_that_does_not_end_is_said_so(ended: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_END_WITHIN", 0.05)
    lock = Lock(ended.paths.lock("chat"))
    assert lock.acquire()

    with pytest.raises(InstanceConflict, match="still ending"):
        ended.remove("chat")
    lock.release()
