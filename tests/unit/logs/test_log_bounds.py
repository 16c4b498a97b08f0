"""The log of a module stays within its bounds while the module writes, and no line of what is kept is harmed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from las_jupyter.core.launch import LogRule
from las_jupyter.core.states import LogCapture
from las_jupyter.logs.holes import head
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.writer import LogStore

STAMP = "20260131T120000Z"
WRITER = """
import os, sys
for block in range(int(sys.argv[1])):
    os.write(1, b"".join(b"%09d " % (block * 100 + line) + b"x" * 89 + b"\\n" for line in range(100)))
"""


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder on the disk and one in memory."""
    if request.param == "disk":
        yield str(tmp_path)
        return
    if not os.path.isdir("/dev/shm"):
        pytest.skip("no /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        yield made


def written(path: str) -> list[bytes]:
    """The lines that are still there."""
    with open(path, "rb") as file:
        file.seek(head(file.fileno()))
        return file.read().splitlines()


def test_a_flood_is_kept_within_its_bound_and_no_kept_line_is_lost_or_torn(folder: str):
    store = LogStore(folder, LogRule(start_bytes=4 * 2**20))
    path, fd = store.open(1, STAMP)
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", WRITER, "4000"], stdout=fd)
    os.close(fd)
    while process.poll() is None:
        store.tick()
        time.sleep(0.002)
    store.tick()

    lines = written(path)
    first = int(lines[0][:9])
    assert lines == [b"%09d " % number + b"x" * 89 for number in range(first, 400_000)]
    assert len(lines) * 100 >= 3 * 2**20
    assert os.stat(path).st_blocks * 512 <= 4 * 2**20 + 8192
    assert os.stat(path).st_size == 40_000_000


def test_a_reader_finds_its_place_after_a_trim_and_says_how_much_is_gone(folder: str):
    store = LogStore(folder, LogRule(start_bytes=64 * 1024))
    path, fd = store.open(1, STAMP)
    os.write(fd, b"".join(b"%09d\n" % number for number in range(100_000)))
    store.tick()
    reader = LogReader(path)

    chunk = reader.read(0)

    assert chunk.offset == chunk.trimmed == reader.head > 0
    number = chunk.offset // 10
    assert chunk.text.startswith(f"{number:09d}\n")
    assert next(reader.lines()) == f"{number:09d}"
    assert reader.tail(10**6)[0] == f"{number:09d}"
    assert reader.grep("0", 10**6)[0] == f"{number:09d}"
    assert reader.read(990_000).trimmed == 0
    os.close(fd)


def test_a_log_is_never_overwritten_and_only_ours_to_read(folder: str):
    store = LogStore(folder, LogRule())
    first, one = store.open(1, STAMP)
    os.write(one, b"words\n")

    second, other = store.open(1, STAMP)

    assert first != second
    assert Path(first).read_bytes() == b"words\n"
    assert os.stat(second).st_mode & 0o777 == 0o600
    os.close(one)
    os.close(other)


def test_a_planted_link_is_not_followed(folder: str):
    target = Path(folder, "precious")
    target.write_bytes(b"mine")
    os.symlink(target, Path(folder, f"0001-{STAMP}.log"))

    _, fd = LogStore(folder, LogRule()).open(1, STAMP)
    os.write(fd, b"words")
    os.close(fd)

    assert target.read_bytes() == b"mine"


def test_the_oldest_starts_go_and_files_of_others_stay(folder: str):
    store = LogStore(folder, LogRule(keep_starts=3))
    Path(folder, "notes.txt").write_text("mine")
    for generation in range(1, 7):
        os.close(store.open(generation, STAMP)[1])

    assert sorted(name[:4] for name in os.listdir(folder) if name.endswith(".log")) == ["0004", "0005", "0006"]
    assert Path(folder, "notes.txt").exists()


def test_all_starts_together_keep_within_their_bound(folder: str):
    store = LogStore(folder, LogRule(total_bytes=3 * 2**20))
    for generation in range(1, 5):
        _, fd = store.open(generation, STAMP)
        os.write(fd, b"x" * 99 * 2**10 + b"\n")
        os.write(fd, b"y" * 2**20)
        os.close(fd)
        store.tick()

    kept = [name for name in os.listdir(folder) if name.endswith(".log")]
    assert sum(os.stat(Path(folder, name)).st_blocks * 512 for name in kept) <= 3 * 2**20
    assert f"0004-{STAMP}.log" in kept


def test_another_supervisor_goes_on_bounding_the_log_of_the_dead_one(folder: str):
    path, fd = LogStore(folder, LogRule()).open(1, STAMP)
    os.write(fd, b"line\n" * 100_000)
    os.close(fd)

    LogStore(folder, LogRule(start_bytes=64 * 1024)).tick()

    assert os.stat(path).st_blocks * 512 <= 64 * 1024 + 8192


def test_where_nothing_can_be_trimmed_it_is_said_and_the_log_goes_on(folder: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("las_jupyter.logs.writer.punch", lambda *_: False)
    store = LogStore(folder, LogRule(start_bytes=64 * 1024, capture=LogCapture.DIRECT))
    path, fd = store.open(1, STAMP)
    os.write(fd, b"line\n" * 100_000)
    os.close(fd)

    store.tick()

    assert store.problem is not None
    assert os.stat(path).st_size == 500_000


def test_a_quiet_log_is_looked_at_seldom_and_a_flood_often():
    with tempfile.TemporaryDirectory() as made:
        store = LogStore(made, LogRule(start_bytes=1 * 2**20))
        _, fd = store.open(1, STAMP)
        store.tick()
        assert store.tick() == 1.0
        os.write(fd, b"x" * 10 * 2**20)
        os.close(fd)

        assert store.tick() == 0.05


def test_a_direct_log_where_no_hole_can_be_made_is_whole_and_it_is_said_that_it_grows(tmp_path: Path):
    if subprocess.run(["mount", "-t", "ramfs", "ramfs", str(tmp_path)], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        store = LogStore(str(tmp_path), LogRule(start_bytes=64 * 1024, capture=LogCapture.DIRECT))
        path, fd = store.open(1, STAMP)
        os.write(fd, b"".join(b"%09d\n" % number for number in range(100_000)))
        store.tick()
        os.close(fd)

        assert store.problem is not None
        assert str(tmp_path) in store.problem
        assert len(written(path)) == 100_000
        assert LogReader(path).head == 0
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
