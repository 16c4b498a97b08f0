"""What this machine has now: processors and memory that are really ours to use, and GPUs by their driver's word."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from las_jupyter.resources.other_gpus import GpuFacts, amd_gpus, apple_gpu


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


def _cgroup_limits(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """The memory limits of our own control group and of all above it; the least of them is what holds for us."""
    found = []
    for folder, file in _memory_groups(root, own):
        with contextlib.suppress(OSError, ValueError):  # "max", or not there
            found.append(int((folder / file).read_text()))
    return found


def _memory_groups(root: Path, own: Path) -> Iterator[tuple[Path, str]]:
    """The folders to look into, and the file: of version 2, and of version 1 where memory still is."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    for line in ["0::/", "0:memory:/", *lines]:
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            top, file = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, file = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be one of the host's, which is not there; then the top is ours.
        parts = [part for part in group.split("/") if part not in ("", "..")]
        yield from ((top.joinpath(*parts[:depth]), file) for depth in range(len(parts), -1, -1))


def cpus() -> float:
    """Processors this process may use."""
    return float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def gpus() -> tuple[GpuFacts, ...]:
    """The GPUs by their drivers: NVIDIA's, else AMD's, else Apple's own; none when no driver answers."""
    return nvidia_gpus()[0] or amd_gpus() or _apple_gpus()


def nvidia_gpus() -> tuple[tuple[GpuFacts, ...], str | None]:
    """The NVIDIA GPUs by NVML, and why there are none when its library says why."""
    try:
        import pynvml
    except ImportError as error:
        return (), f"nvidia-ml-py cannot be imported: {error}"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return (), str(error)
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            found.append(
                GpuFacts(str(index), str(pynvml.nvmlDeviceGetName(handle)), int(memory.total), int(memory.free))
            )
        return tuple(found), None
    finally:
        pynvml.nvmlShutdown()


def _apple_gpus() -> tuple[GpuFacts, ...]:
    if sys.platform != "darwin":
        return ()
    import subprocess

    words = ["/usr/sbin/sysctl", "machdep.cpu.brand_string", "hw.memsize", "iogpu.wired_limit_mb"]
    try:
        # What is not known to an older system is left out of the answer, and the exit code is not 0 then.
        said = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = apple_gpu(said)
    return (found,) if found else ()
