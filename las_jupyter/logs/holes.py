"""
Giving back the disk under the head of a file that is being appended to.

A hole keeps every offset valid and touches no byte a writer may still write, which neither renaming nor truncating can
say of a file another process holds open.
"""

from __future__ import annotations

import _ctypes  # the package around it costs every supervisor a quarter of a megabyte
import os

_KEEP_SIZE_AND_PUNCH = 0x01 | 0x02


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


def punch(fd: int, end: int) -> bool:
    """Make a hole from the beginning of the file to ``end``; whether the file system could."""
    try:
        fallocate = _ctypes.dlsym(_ctypes.dlopen(None, 0), "fallocate")  # type: ignore[arg-type]
    except OSError:
        return False
    arguments = (fd, _KEEP_SIZE_AND_PUNCH, _Long(0), _Long(end))
    return bool(_ctypes.call_function(fallocate, arguments) == 0)


def head(fd: int) -> int:
    """Where the bytes begin that are still there."""
    try:
        begin = os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:  # nothing in it yet, or a file system without holes
        return 0
    if begin == 0:
        return 0
    # A hole ends inside a block; the rest of that block up to the first byte kept reads as zeros.
    block = os.pread(fd, 64 * 1024, begin)
    return begin + len(block) - len(block.lstrip(b"\0"))
