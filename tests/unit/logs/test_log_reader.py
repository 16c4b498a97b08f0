"""What is read of a log: whole lines, from the end, since a moment, by pattern; secrets and escapes never shown."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.launch import LogRule
from las_jupyter.logs import index, reader, search
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.search import required
from las_jupyter.logs.writer import LogStore

LINES = st.lists(st.text("abcB ", max_size=12), max_size=60)


def log_of(data: bytes) -> LogReader:
    """A reader of a file with ``data`` that is already deleted at the end of the process."""
    fd, path = tempfile.mkstemp()
    os.write(fd, data)
    os.close(fd)
    return LogReader(path)


@given(lines=LINES, ended=st.booleans(), wanted=st.integers(0, 70), block=st.integers(1, 40))
def test_the_tail_is_the_end_of_the_lines_wherever_blocks_meet(lines: list[str], ended: bool, wanted: int, block: int):
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    log = log_of(text.encode())
    whole = text.split("\n")[: None if text and not text.endswith("\n") else -1]
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "_BLOCK", block)
            patch.setattr(reader, "_BIG_BLOCK", block)
            assert log.tail(wanted) == whole[len(whole) - min(wanted, len(whole)) :]
            assert list(log.lines()) == whole
    finally:
        os.unlink(log.path)


@given(
    lines=LINES,
    pattern=st.sampled_from(["a", "ab", "a+b", "^a", "c$", "a|b", "ab|cc", "", "(ab)+", "[ab]c",
                             "(?i)AB", "(?i)bc|cca"]),
    limit=st.integers(1, 20), block=st.integers(1, 40), rare=st.sampled_from([0, 512]),
)  # fmt: skip
def test_grep_gives_the_last_matching_lines_wherever_blocks_meet(
    lines: list[str], pattern: str, limit: int, block: int, rare: int
):
    log = log_of("".join(f"{line}\n" for line in lines).encode())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "_SEARCHED_BLOCK", block)
            patch.setattr(search, "_RARE", rare)  # 0: any byte counts as rare
            assert log.grep(pattern, limit) == [line for line in lines if re.search(pattern, line)][-limit:]
    finally:
        os.unlink(log.path)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(pattern=st.from_regex(r"\A[abc.+*?|()\[\]^$]{0,8}\Z"), text=st.text("abc", max_size=12))
def test_text_looked_for_first_is_in_every_match(pattern: str, text: str):
    try:
        found = re.search(pattern, text)
    except re.error:
        return
    if found:
        assert not required(pattern) or any(one in text for one in required(pattern))


@pytest.mark.parametrize("pattern", ["(?i)error", "(?i)FINE|eRRor", "(?i)^an (err)", "(?i:error)", "(?i)mar\u212b?k"])
def test_a_pattern_that_ignores_case_still_finds(tmp_path: Path, pattern: str):
    path = tmp_path / "log"
    path.write_text("no\nan ERROR MAR\u212a\nno\n")

    assert LogReader(str(path)).grep(pattern) == ["an ERROR MAR\u212a"]


@given(steps=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1, max_size=40), at=st.floats(-5, 400))
def test_the_index_tells_the_size_at_any_moment(steps: list[tuple[float, int]], at: float):
    moment, size, known = 0.0, 0, []
    with tempfile.TemporaryFile() as file:
        for pause, grown in steps:
            moment, size = moment + pause, size + grown
            index.append(file.fileno(), moment, size)
            known.append((moment, size))

        assert index.size_at(file.fileno(), at) == max((size for when, size in known if when <= at), default=0)


def test_since_gives_what_was_written_since_and_nothing_older_than_its_row(tmp_path: Path, monkeypatch):
    store = LogStore(str(tmp_path), LogRule())
    moments = iter(range(1000, 2000))
    monkeypatch.setattr("las_jupyter.logs.writer.time.time", lambda: float(next(moments)))
    path, fd = store.open(1, "20260131T120000Z")
    for word in (b"one", b"two", b"three"):
        os.write(fd, word + b"\n")
        store.tick()
    os.close(fd)

    log = LogReader(path)

    assert log.since(1002.5) == ["three"]
    assert log.since(1001) == ["two", "three"]
    assert log.since(0) == ["one", "two", "three"]
    assert log.since(os.stat(path).st_mtime + 5) == []


def test_a_long_line_is_cut_and_marked(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100_000 + b"\nshort\n")

    for lines in (LogReader(str(path)).tail(2), list(LogReader(str(path)).lines())):
        assert lines[1] == "short"
        assert lines[0].endswith("…(cut)")
        assert len(lines[0]) < 20_000


def test_secrets_and_escapes_are_not_shown_and_bad_bytes_are_replaced(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"key=topsecret \x1b]0;title\x07\x1b[2Kbad \xff end Bearer abcdefghijkl hf_abcdefghijklmnop\n")

    line = LogReader(str(path), ("topsecret",)).tail(1)[0]

    assert line == "key=‹hidden› bad � end Bearer ‹hidden› ‹hidden›"


def test_the_tail_of_an_enormous_log_reads_only_its_end(tmp_path: Path):
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)
        file.seek(0, 2)
        file.write(b"".join(b"line %d\n" % number for number in range(10_000)))
    log = LogReader(str(path))

    assert log.tail(2) == ["line 9998", "line 9999"]
    assert log.grep("^line 5$") == ["line 5"]
    assert log.read(0).trimmed > 10 * 2**30 - 65536


def test_a_followed_line_shows_at_once_and_a_quiet_log_is_left_alone(tmp_path: Path):
    path = tmp_path / "log"
    path.touch()
    looked: list[float] = []
    chunks = LogReader(str(path)).follow(stop=lambda: looked.append(time.monotonic()) is not None)
    delays: list[float] = []

    def write() -> None:
        for number in range(4):
            time.sleep(0.25)
            with path.open("ab") as file:
                file.write(b"%f %d\n" % (time.monotonic(), number))
        time.sleep(4)
        with path.open("ab") as file:
            file.write(b"%f last\n" % time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    for chunk in chunks:
        seen = time.monotonic()
        delays += [seen - float(line.split()[0]) for line in chunk.text.splitlines()]
        if "last" in chunk.text:
            break
    writer.join()
    chunks.close()  # type: ignore[attr-defined]

    assert len(delays) == 5
    assert sorted(delays)[2] < 0.02
    assert len([moment for moment in looked if looked[-1] - 3.5 < moment < looked[-1] - 0.1]) <= 14


def test_a_log_that_is_made_later_is_followed(tmp_path: Path):
    path = tmp_path / "log"
    chunks = LogReader(str(path)).follow(0)
    timer = threading.Timer(0.3, lambda: path.write_bytes(b"late\n"))
    timer.start()

    assert next(chunks).text == "late\n"
    timer.join()
