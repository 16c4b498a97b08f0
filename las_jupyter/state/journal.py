"""``events.jsonl``: every transition, appended. Any prefix of the file loads, also one that ends in a torn line."""

from __future__ import annotations

import os

from las_jupyter.core.snapshot import EventRecord
from las_jupyter.core.wire import from_json, to_line
from las_jupyter.state.files import LARGEST, NoPlainFile, plain_here


def append(path: str, record: EventRecord) -> None:
    """Add one line, on disk when this returns. One write, so that two writers could not mix their lines."""
    fd = plain_here(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        line = to_line(record)
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line  # the last writer died in the middle of a line
        os.write(fd, line)
        os.fdatasync(fd)
    finally:
        os.close(fd)


def replay(path: str) -> tuple[EventRecord, ...]:
    """All whole records in order, of a very long journal the last; damaged lines are passed over."""
    lines = _last_lines(path)
    found = []
    for line in lines:
        try:
            found.append(from_json(EventRecord, line))
        except (ValueError, TypeError, RecursionError):
            continue
    return tuple(found)


def _last_lines(path: str) -> list[bytes]:
    try:
        fd = plain_here(path)
    except (FileNotFoundError, NoPlainFile):
        return []
    try:
        begin = max(0, os.fstat(fd).st_size - LARGEST)
        return os.pread(fd, LARGEST, begin).splitlines()[1 if begin else 0 :]
    finally:
        os.close(fd)
