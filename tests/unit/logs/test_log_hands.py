"""A log is ours or it is none: links, pipes and folders of others in its place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from odd_files import ODD, within

from las_jupyter.core.launch import LogRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import LogCapture, Mode, ProcessState
from las_jupyter.logs.index import index_path
from las_jupyter.logs.piece_writer import PieceWriter
from las_jupyter.logs.pieces import piece
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.writer import LogStore
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.files import write_value
from las_jupyter.state.paths import StatePaths, UnsafeFolder, make_private

MALLORY = 4711
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder as ``/var/log/las`` may be: everybody has his logs there."""
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o1777)
    return place


def everything(log: LogReader) -> list[object]:
    return [
        log.size,
        log.head,
        log.tail(5),
        log.grep("x"),
        log.since(time.time() - 9),
        list(log.follow(0, lambda: True)),
    ]


def test_a_shared_folder_holds_a_private_one_for_each_instance(shared: Path) -> None:
    path, fd = LogStore(str(shared / "chat"), LogRule()).open(1, "20260101T000000Z")
    os.close(fd)

    assert oct((shared / "chat").stat().st_mode & 0o777) == "0o700"
    assert LogReader(path).tail(1) == []


def test_a_log_folder_that_is_a_link_is_refused(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (shared / "chat").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UnsafeFolder) as refused:
        LogStore(str(shared / "chat"), LogRule()).open(1, "20260101T000000Z")

    assert "runtime.log_dir" in (refused.value.remedy or "")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@only_root
@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_log_folder_that_another_made_before_us_is_refused(shared: Path, mode: int) -> None:
    (shared / "chat").mkdir()
    (shared / "chat").chmod(mode)
    os.chown(shared / "chat", MALLORY, MALLORY)

    with pytest.raises(UnsafeFolder):
        LogStore(str(shared / "chat"), LogRule()).open(1, "20260101T000000Z")


def test_a_log_folder_that_others_could_exchange_is_refused(shared: Path) -> None:
    shared.chmod(0o777)

    with pytest.raises(UnsafeFolder) as refused:
        LogStore(str(shared / "chat"), LogRule()).open(1, "20260101T000000Z")

    assert f"chmod go-w {shared}" in (refused.value.remedy or "")


@pytest.mark.parametrize("kind", [each for each in ODD if each != "a file of a terabyte"])
def test_something_odd_in_the_place_of_a_log_is_an_empty_log_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "0001-20260101T000000Z.log"
    ODD[kind](path)

    with within(10):
        assert everything(LogReader(str(path))) == [0, 0, [], [], [], []]


def test_a_log_that_is_a_link_shows_nothing_of_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x: topsecret\n")
    path = tmp_path / "0001-20260101T000000Z.log"
    path.symlink_to(tmp_path / "secret")

    assert everything(LogReader(str(path))) == [0, 0, [], [], [], []]


def test_nothing_is_read_through_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "0001-20260101T000000Z.log").write_text("x\n")
    (tmp_path / "chat").symlink_to(tmp_path / "theirs")

    assert LogReader(str(tmp_path / "chat" / "0001-20260101T000000Z.log")).tail(5) == []


@only_root
def test_nothing_is_read_from_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    path = tmp_path / "chat" / "0001-20260101T000000Z.log"
    path.write_text("x\n")
    os.chown(tmp_path / "chat", MALLORY, MALLORY)

    assert LogReader(str(path)).tail(5) == []


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_index_or_piece_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    store = LogStore(str(tmp_path / "logs"), LogRule(capture=LogCapture.PUMP))
    path, _ = store.open(1, "20260101T000000Z")
    Path(index_path(path)).unlink()
    ODD[kind](Path(index_path(path)))
    ODD[kind](Path(piece(path, 0)))

    with within(20):
        store.tick()
        try:
            PieceWriter(path, 1024).write(b"x\n")
        except OSError as error:
            assert error.strerror
        log = LogReader(path)
        log.tail(5)
        log.since(time.time() + 9)


@only_root
def test_logs_of_a_folder_that_is_not_ours_are_a_sentence(tmp_path: Path) -> None:
    paths = StatePaths(str(tmp_path / "state"), str(tmp_path / "logs"))
    make_private(paths.instance("chat"))
    make_private(paths.logs("chat"))
    log = os.path.join(paths.logs("chat"), "0001-20260101T000000Z.log")
    Path(log).write_text("x\n")
    ended = Snapshot("chat", "fake", Mode.NATIVE, "native", ProcessState.STOPPED, "you stopped it", log_path=log)
    write_value(paths.state("chat"), ended)
    assert Manager(paths).log("chat").tail(1) == ["x"]

    os.chown(paths.logs("chat"), MALLORY, MALLORY)
    with pytest.raises(UnsafeFolder):
        Manager(paths).log("chat")
