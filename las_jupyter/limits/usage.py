"""What a process tree uses: memory as PSS, which counts a shared page once, and CPU time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from las_jupyter.core.snapshot import Usage
from las_jupyter.limits.tree import Proc

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def measure(tree: Iterable[Proc]) -> Usage:
    """The sum over ``tree``; a process that ends meanwhile counts as nothing."""
    memory, ticks, count = 0, 0, 0
    for process in tree:
        memory += proportional_memory(process.pid)
        ticks += process.cpu_ticks
        count += 1
    return Usage(ticks * _TICK, memory, count, None, "pss", time.time())


def proportional_memory(pid: int) -> int:
    """PSS in bytes of one process, 0 when it is gone or not ours to read."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def bytes_read(pid: int) -> int:
    """Bytes the process has read so far, page cache included; 0 when it cannot be known."""
    try:
        with open(f"/proc/{pid}/io", "rb") as file:
            return int(file.readline().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
