"""Writing a log in pieces; apart from reading one, since few supervisors do it."""

from __future__ import annotations

import os

from las_jupyter.logs.pieces import piece, starts
from las_jupyter.state.files import make_folders, plain_here


class PieceWriter:
    """
    Appends to the log in pieces at ``path``, and keeps ``keep`` bytes of it: the oldest eighth goes at a time.

    It must be the only writer. Who comes after a dead one goes on where that stopped.
    """

    def __init__(self, path: str, keep: int) -> None:
        self._path, self._keep, self._piece = path, keep, max(1, keep // 8)
        self._fd, self._start, self._size = -1, 0, 0
        make_folders(path)
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
        make_folders(self._path)
        # Without O_APPEND, into which no pipe can be spliced.
        fd = plain_here(piece(self._path, start), os.O_WRONLY | os.O_CREAT)
        self.close()
        self._fd, self._start, self._size = fd, start, os.lseek(fd, 0, os.SEEK_END)
