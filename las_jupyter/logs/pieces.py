"""
The bytes of one start's log, whichever way they lie on the disk.

Mostly the log is one file, whose head is trimmed by holes. Where the file system has no holes it is a folder of files,
each named by the offset of its first byte, and the oldest are removed whole. Both are one run of bytes to who reads:
offsets never change, and what is gone reads as zeros.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from las_jupyter.logs import holes
from las_jupyter.state.files import NoPlainFile

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS = 15
_NEW_LINE_WITHIN = 64 * 1024
_TRIES = 20
_BLOCK = 512


def opened(path: str) -> int:
    """
    A descriptor to read a log, a piece or an index from; never waits.

    Neither the file nor its folder may be a link, and the folder must be ours or root's: who could put something else
    there could make us show it. Raises ``OSError``.
    """
    folder, name = os.path.split(path)
    at = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(at).st_uid not in (0, os.geteuid()):
            raise NoPlainFile(path, "in a folder of somebody else")
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)
    if not _is_log(os.fstat(fd).st_mode):
        os.close(fd)
        raise NoPlainFile(path, "something else")
    return fd


def _is_log(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _found(path: str) -> os.stat_result:
    found = os.lstat(path)
    if not _is_log(found.st_mode):
        raise NoPlainFile(path, "something else")
    return found


def piece(path: str, start: int) -> str:
    """The file of a log in pieces that begins at offset ``start``."""
    return os.path.join(path, f"{start:0{_DIGITS}d}")


def starts(path: str) -> list[int]:
    """The offsets at which the pieces of a log begin. Raises ``NotADirectoryError`` when it is one file."""
    return sorted(int(name) for name in os.listdir(path) if len(name) == _DIGITS and name.isdigit())


def size(path: str) -> int:
    """Bytes written so far, those trimmed away included. Raises ``OSError`` when there is no log."""
    found = _found(path)
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size
    return int(_whole(lambda: _end(path)))


def modified(path: str) -> float:
    """When it was last written to, in seconds since the epoch. Raises ``OSError`` when there is no log."""
    found = _found(path)
    if not stat.S_ISDIR(found.st_mode):
        return found.st_mtime
    return float(
        _whole(lambda: max((os.lstat(piece(path, start)).st_mtime for start in starts(path)[-1:]), default=0.0))
    )


def head(path: str) -> int:
    """Where the bytes begin that are still there, at a line's beginning where one is near."""
    try:
        fd = opened(path)
    except OSError:
        return 0
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            return holes.head(fd)
    finally:
        os.close(fd)
    first = next(iter(starts(path)), 0)
    if first == 0:
        return 0
    return first + read(path, first, _NEW_LINE_WITHIN).find(b"\n") + 1


def read(path: str, offset: int, limit: int) -> bytes:
    """At most ``limit`` bytes from ``offset`` on; fewer only at the end. What was trimmed away reads as zeros."""
    try:
        fd = opened(path)
    except OSError:
        return b""
    try:
        return os.pread(fd, limit, offset)
    except IsADirectoryError:
        pass
    finally:
        os.close(fd)
    try:
        return bytes(_whole(lambda: _read(path, offset, limit)))
    except OSError:
        return b""


def used(path: str) -> int:
    """Bytes on the disk. Raises ``OSError`` when there is no log."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        return found.st_blocks * _BLOCK
    return int(_whole(lambda: sum(os.lstat(piece(path, start)).st_size for start in starts(path))))


def remove(path: str) -> None:
    """Remove the log. Raises ``OSError``."""
    if not os.path.isdir(path) or os.path.islink(path):
        os.unlink(path)
        return
    for start in starts(path):
        os.unlink(piece(path, start))
    os.rmdir(path)


def _whole(look: Callable[[], Any]) -> Any:
    """What ``look`` finds, looked again when a piece was removed meanwhile."""
    for _ in range(_TRIES):
        try:
            return look()
        except FileNotFoundError:
            continue
    return look()


def _end(path: str) -> int:
    last = starts(path)[-1:]
    return last[0] + os.lstat(piece(path, last[0])).st_size if last else 0


def _read(path: str, offset: int, limit: int) -> bytes:
    begins = starts(path)
    if not begins:
        return b""
    found = [b"\0" * min(limit, max(0, begins[0] - offset))]
    position, left = offset + len(found[0]), limit - len(found[0])
    for start, end in zip(begins, [*begins[1:], None], strict=True):
        if left <= 0 or (end is not None and end <= position):
            continue
        wanted = left if end is None else min(left, end - position)
        data = _bytes(piece(path, start), position - start, wanted)
        found.append(data)
        position, left = position + len(data), left - len(data)
        if len(data) < wanted:
            break
    return b"".join(found)


def _bytes(path: str, offset: int, limit: int) -> bytes:
    fd = opened(path)
    try:
        return os.pread(fd, limit, offset)
    finally:
        os.close(fd)
