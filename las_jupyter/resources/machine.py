"""What this machine has now: processors and memory that are really ours to use, and GPUs by their driver's word."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple


class GpuFacts(NamedTuple):
    """One GPU by NVML: its index, name, and memory in bytes."""

    id: str
    name: str
    memory_total: int
    memory_free: int


def memory_total() -> int:
    """Bytes of memory we may use: the machine's, or less where a cgroup above us says so."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(physical, *_cgroup_limits(), physical)


def memory_available() -> int:
    """Bytes that can be had without swapping, by the kernel's estimate."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return min(int(line.split()[1]) * 1024, memory_total())
    return memory_total()


def _cgroup_limits() -> list[int]:
    found = []
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(file).read_text()))
    return found


def cpus() -> float:
    """Processors this process may use."""
    return float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def gpus() -> tuple[GpuFacts, ...]:
    """The NVIDIA GPUs, by NVML; none when there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            found.append(
                GpuFacts(str(index), str(pynvml.nvmlDeviceGetName(handle)), int(memory.total), int(memory.free))
            )
        return tuple(found)
    finally:
        pynvml.nvmlShutdown()
