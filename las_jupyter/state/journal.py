"""
``events.jsonl``: every transition, appended. Any prefix of the file loads, also one that ends in a torn line.

It is kept within ``LARGEST`` bytes. What goes is the older half, but never what a successor rebuilds the state from.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from las_jupyter.core.snapshot import EventRecord
from las_jupyter.core.wire import from_json, to_line
from las_jupyter.state.files import NoPlainFile, forget, plain_here

if TYPE_CHECKING:
    from typing import BinaryIO

LARGEST = 1024 * 1024
"""Bytes: some five thousand events. Whoever shows them all reads that in a few hundredths of a second."""

DROPPED = "older events dropped"
_PIECE = 64 * 1024
_MOST_KINDS = 100  # there are some thirty; more come from a damaged file only
_DIGITS = 16
_READ_AT_MOST = 4 * LARGEST


def append(path: str, record: EventRecord) -> int:
    """
    Add one line, on disk when this returns; the size of the journal now, in bytes.

    One write, so that two writers could not mix their lines. Raises ``OSError``.
    """
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
    return size + len(line)


def replay(path: str) -> tuple[EventRecord, ...]:
    """All whole records in order; damaged lines are passed over. Of a file beyond all bounds, its end."""
    records = []
    for line in _last_lines(path):
        try:
            records.append(from_json(EventRecord, line))
        except (ValueError, TypeError, RecursionError):
            continue
    return tuple(records)


def keep_within_bounds(path: str) -> None:
    """Shorten the journal of a supervisor that knew no bounds; where that cannot be, it stays as it is."""
    try:
        if os.lstat(path).st_size > LARGEST:
            shorten(path)
    except OSError:
        pass


def shorten(path: str, keep: int = LARGEST // 2) -> None:
    """
    Replace the journal by its newest ``keep`` bytes, with what is still needed of the older ones before them.

    That is its first line, which says when the instance was made, and the last line of each kind of transition: among
    them are the identity of what was launched, whether it became ready, and what began its end. The second line counts
    what was dropped. A reader sees the old or the new file whole. Raises ``OSError``, and the journal is as it was.
    """
    beside = f"{path}.{os.getpid()}.tmp"
    fd = plain_here(path)
    # Piece by piece: half a megabyte at once would stay with the supervisor for its whole life.
    with os.fdopen(fd, "rb", _PIECE) as old:
        head = _head(old, os.fstat(fd).st_size, keep)
        try:
            new_fd = plain_here(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(new_fd, "wb", _PIECE) as new:
                new.writelines(head)
                while piece := old.read(_PIECE):
                    new.write(piece)
                new.flush()
                os.fdatasync(new.fileno())
            os.replace(beside, path)
        except OSError:
            forget(beside)
            raise


def _head(old: BinaryIO, size: int, keep: int) -> list[bytes]:
    """What is kept of the lines before the newest ``keep`` bytes, which ``old`` stands before then."""
    first, dropped, at = b"", 0, 0
    kinds: dict[tuple[str, str, str], bytes] = {}
    while at < size - keep:
        line = old.readline()
        at += len(line)
        if at >= size:  # the last one stays, however long it is: it says how things stand
            old.seek(-len(line), os.SEEK_CUR)
            break
        kind = None if b'"event":"health"' in line else _kind(line)  # by far the most, where there are many
        if kind is not None and kind[0] == DROPPED:
            dropped += _count(line)
            continue
        dropped += 1
        if kind is not None:
            first = first or line
            kinds.pop(kind, None)  # so that they stay in the order in which they happened
            kinds[kind] = line
    kept = [line for line in list(kinds.values())[-_MOST_KINDS:] if line != first]
    dropped -= len(kept) + bool(first)
    return [first, *([_told(first, dropped)] if dropped else []), *kept] if first else []


def _kind(line: bytes) -> tuple[str, str, str] | None:
    """What makes one transition different from another; None for a damaged line."""
    try:
        record = from_json(EventRecord, line)
    except (ValueError, TypeError, RecursionError):
        return None
    return (record.event, record.before, record.after) if len(line) <= _PIECE else None


def _count(line: bytes) -> int:
    number = from_json(EventRecord, line).data.get("events", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < _DIGITS else 0


def _told(first: bytes, dropped: int) -> bytes:
    began = from_json(EventRecord, first)
    reason = f"{dropped} older events, mostly of health, were dropped to keep this file small"
    return to_line(began._replace(event=DROPPED, before=began.after, reason=reason, data={"events": str(dropped)}))


def _last_lines(path: str) -> list[bytes]:
    try:
        fd = plain_here(path)
    except (FileNotFoundError, NoPlainFile):
        return []
    try:
        begin = max(0, os.fstat(fd).st_size - _READ_AT_MOST)
        return os.pread(fd, _READ_AT_MOST, begin).splitlines()[1 if begin else 0 :]
    finally:
        os.close(fd)
