"""A log in pieces is one run of bytes, read as a log of one file is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.launch import LogRule
from las_jupyter.core.states import LogCapture
from las_jupyter.logs import pieces
from las_jupyter.logs.piece_writer import PieceWriter
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.writer import LogStore, logs_of

STAMP = "20260101T000000Z"
LINES = [f"line {number}" for number in range(40)]
WHOLE = "".join(f"{line}\n" for line in LINES).encode()


def in_pieces(folder: Path, cuts: list[int], data: bytes = WHOLE) -> str:
    """``data`` cut there, as a log in a new folder."""
    path = folder / f"{time.monotonic_ns()}.log"
    path.mkdir()
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        Path(pieces.piece(str(path), start)).write_bytes(data[start:end])
    return str(path)


@given(cuts=st.lists(st.integers(1, len(WHOLE) - 1), unique=True).map(sorted), at=st.integers(0, len(WHOLE)))
def test_wherever_it_is_cut_it_reads_as_one_file(tmp_path_factory: pytest.TempPathFactory, cuts: list[int], at: int):
    log = LogReader(in_pieces(tmp_path_factory.getbasetemp(), cuts))

    assert log.size == len(WHOLE)
    assert log.read(at).text.encode() == WHOLE[at:]
    assert list(log.lines()) == LINES
    assert log.tail(7) == LINES[-7:]
    assert log.grep("line 1") == [line for line in LINES if "line 1" in line]


@given(cuts=st.lists(st.integers(1, len(WHOLE) - 1), unique=True, min_size=1).map(sorted))
def test_when_the_first_pieces_are_gone_it_begins_at_a_lines_beginning(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
):
    path = in_pieces(tmp_path_factory.getbasetemp(), cuts)
    os.unlink(pieces.piece(path, 0))
    left = WHOLE[cuts[0] :]
    log = LogReader(path)

    begin = cuts[0] + left.find(b"\n") + 1
    assert log.head == begin
    chunk = log.read(0)
    assert (chunk.offset, chunk.trimmed) == (begin, begin)
    assert chunk.text.encode() == WHOLE[begin:]
    later = max(begin, len(WHOLE) - 3)
    assert log.read(later).text.encode() == WHOLE[later:], "offsets are what they were"


def test_a_writer_keeps_within_its_bound_and_what_is_kept_is_whole(tmp_path: Path):
    path, keep = str(tmp_path / "a.log"), 64 * 1024
    writer = PieceWriter(path, keep)
    most = 0
    for number in range(40_000):
        data = f"{number:09d}\n".encode()
        while data:
            data = data[writer.write(data) :]
        most = max(most, pieces.used(path)) if number % 100 == 0 else most

    assert most <= keep
    kept = [int(line) for line in LogReader(path).lines(0)]
    assert kept == list(range(kept[0], 40_000))
    assert len(kept) * 10 >= keep * 3 // 4


def test_who_comes_after_a_dead_writer_goes_on_where_it_stopped(tmp_path: Path):
    path = str(tmp_path / "a.log")
    first = PieceWriter(path, 80)
    for letter in b"abcdefghijklmnopqrstuvwxyz":
        first.write(bytes([letter]))
    second = PieceWriter(path, 80)

    assert second.end == 26
    second.write(b"!")
    assert LogReader(path).tail(1) == ["abcdefghijklmnopqrstuvwxyz!"]


def test_since_is_right_across_pieces(tmp_path: Path):
    store = LogStore(str(tmp_path), LogRule(start_bytes=64 * 1024, capture=LogCapture.PUMP))
    path, fd = store.open(1, STAMP)
    assert fd == -1
    writer = PieceWriter(path, 64 * 1024)
    writer.write(b"old\n" * 100)
    store.tick()
    moment = time.time()
    while time.time() == moment:
        pass
    for _ in range(5):
        writer.write(b"new\n" * 1000)
    store.tick()

    assert set(LogReader(path).since(moment)) == {"new"}


def test_old_logs_in_pieces_are_removed_as_files_are(tmp_path: Path):
    store = LogStore(str(tmp_path), LogRule(keep_starts=2, capture=LogCapture.PUMP))
    for number in range(1, 6):
        path, _ = store.open(number, STAMP)
        PieceWriter(path, 1024).write(b"x" * 100)

    assert [Path(path).name for path in logs_of(str(tmp_path))] == [f"000{number}-{STAMP}.log" for number in (4, 5)]


def test_the_index_of_a_log_in_pieces_stays_short(tmp_path: Path):
    store = LogStore(str(tmp_path), LogRule(start_bytes=64 * 1024, capture=LogCapture.PUMP))
    path, _ = store.open(1, STAMP)
    writer = PieceWriter(path, 64 * 1024)
    for _ in range(6000):
        writer.write(b"x" * 99 + b"\n")
        store.tick()

    assert Path(f"{path}.idx").stat().st_size < 80 * 1024
    assert LogReader(path).since(0.0)[-1] == "x" * 99
