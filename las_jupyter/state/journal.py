"""``events.jsonl``: every transition, appended. Any prefix of the file loads, also one that ends in a torn line."""

from __future__ import annotations

import os

from las_jupyter.core.snapshot import EventRecord
from las_jupyter.core.wire import from_json, to_line


def append(path: str, record: EventRecord) -> None:
    """Add one line, on disk when this returns. One write, so that two writers could not mix their lines."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
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
    """All whole records in order; damaged lines are passed over."""
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(from_json(EventRecord, line))
        except (ValueError, TypeError, RecursionError):
            continue
    return tuple(found)
