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

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS = 15
_NEW_LINE_WITHIN = 64 * 1024
_TRIES = 20
_BLOCK = 512


def piece(path: str, start: int) -> str:
    """The file of a log in pieces that begins at offset ``start``."""
    return os.path.join(path, f"{start:0{_DIGITS}d}")


def starts(path: str) -> list[int]:
    """The offsets at which the pieces of a log begin. Raises ``NotADirectoryError`` when it is one file."""
    return sorted(int(name) for name in os.listdir(path) if len(name) == _DIGITS and name.isdigit())


def size(path: str) -> int:
    """Bytes written so far, those trimmed away included. Raises ``OSError`` when there is no log."""
    found = os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        return found.st_size
    return int(_whole(lambda: _end(path)))


def modified(path: str) -> float:
    """When it was last written to, in seconds since the epoch. Raises ``OSError`` when there is no log."""
    found = os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        return found.st_mtime
    return float(
        _whole(lambda: max((os.stat(piece(path, start)).st_mtime for start in starts(path)[-1:]), default=0.0))
    )


def head(path: str) -> int:
    """Where the bytes begin that are still there, at a line's beginning where one is near."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
    return last[0] + os.stat(piece(path, last[0])).st_size if last else 0


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
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, limit, offset)
    finally:
        os.close(fd)


class PieceWriter:
    """
    Appends to the log in pieces at ``path``, and keeps ``keep`` bytes of it: the oldest eighth goes at a time.

    It must be the only writer. Who comes after a dead one goes on where that stopped.
    """

    def __init__(self, path: str, keep: int) -> None:
        self._path, self._keep, self._piece = path, keep, max(1, keep // 8)
        self._fd, self._start, self._size = -1, 0, 0
        os.makedirs(path, mode=0o700, exist_ok=True)
        last = starts(path)[-1:]
        self._open(last[0] if last else 0)

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self._start + self._size

    def write(self, data: bytes) -> int:
        """Append the beginning of ``data``; how many bytes of it. Raises ``OSError``, and nothing was written then."""
        self._turn()
        written = os.write(self._fd, data[: self._piece - self._size])
        self._size += written
        return written

    def take(self, pipe: int) -> int:
        """
        Move bytes from ``pipe`` into the log, waiting for some; 0 when nobody can write into it any more.

        The kernel moves them: whoever is killed meanwhile, a byte is in the one or in the other. Raises ``OSError``.
        """
        self._turn()
        moved = os.splice(pipe, self._fd, self._piece - self._size)
        self._size += moved
        return moved

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _turn(self) -> None:
        if self._size < self._piece:
            return
        begins = starts(self._path)
        while len(begins) > 1 and self.end - begins[1] >= self._keep - self._piece:
            os.unlink(piece(self._path, begins.pop(0)))
        self._open(self.end)

    def _open(self, start: int) -> None:
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        # Without O_APPEND, into which no pipe can be spliced.
        fd = os.open(piece(self._path, start), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.close()
        self._fd, self._start, self._size = fd, start, os.lseek(fd, 0, os.SEEK_END)
