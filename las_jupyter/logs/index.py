"""
When the log had which size: rows of (seconds since the epoch, bytes), 16 bytes each, in the order of both.

A row is written only after the log grew. Where old rows were punched away they read as zeros, which sorts before
everything.
"""

from __future__ import annotations

import os
import struct

_ROW = struct.Struct("<dq")


def index_path(log_path: str) -> str:
    """The index beside a log."""
    return f"{log_path}.idx"


def append(fd: int, moment: float, size: int) -> None:
    """Add a row. Raises ``OSError``, after which at most a part of a row is there."""
    os.write(fd, _ROW.pack(moment, size))


def rows(fd: int) -> int:
    """How many whole rows there are."""
    return os.fstat(fd).st_size // _ROW.size


def row(fd: int, number: int) -> tuple[float, int]:
    """Row ``number``, from 0."""
    moment, size = _ROW.unpack(os.pread(fd, _ROW.size, number * _ROW.size))
    return float(moment), int(size)


def size_at(fd: int, moment: float) -> int:
    """The size of the last row not after ``moment``; 0 when all are after it."""
    below, above = 0, rows(fd)
    while below < above:
        middle = (below + above) // 2
        if row(fd, middle)[0] <= moment:
            below = middle + 1
        else:
            above = middle
    return row(fd, below - 1)[1] if below else 0


def bytes_before(fd: int, size: int) -> int:
    """How many bytes of the index tell only of a log smaller than ``size``; the last such row is not among them."""
    below, above = 0, rows(fd)
    while below < above:
        middle = (below + above) // 2
        if row(fd, middle)[1] <= size:
            below = middle + 1
        else:
            above = middle
    return max(0, below - 1) * _ROW.size
