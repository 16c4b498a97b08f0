"""What a process tree holds of GPU memory, by NVML. Only clients ask: a supervisor does not carry the library."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

_QUESTIONS = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")
_DEVICES = ("/dev/nvidiactl", "/dev/dxg")


class Holding(NamedTuple):
    """What process ``pid`` holds of the memory of GPU ``gpu``, in bytes; None when the driver does not say."""

    gpu: int
    pid: int
    used: int | None


def vram_of(pids: Collection[int], holdings: Iterable[Holding]) -> int | None:
    """
    The bytes that ``pids`` hold together; None when the driver knows none of them or does not say.

    It knows none of them, too, when it counts processes of another pid namespace. A process that computes and draws
    is told twice and counts once for each GPU.
    """
    ours: dict[tuple[int, int], int] = {}
    for each in holdings:
        if each.pid not in pids:
            continue
        if each.used is None:
            return None
        key = (each.gpu, each.pid)
        ours[key] = max(ours.get(key, 0), each.used)
    return sum(ours.values()) if ours else None


def holdings() -> tuple[Holding, ...]:
    """Who holds GPU memory now; nothing without an NVIDIA driver."""
    nvml = _nvml()
    if nvml is None:
        return ()
    found = []
    for gpu, ask in product(range(nvml.nvmlDeviceGetCount()), _QUESTIONS):
        try:
            rows = getattr(nvml, ask)(nvml.nvmlDeviceGetHandleByIndex(gpu))
        except nvml.NVMLError:
            continue  # a card without a display, a driver without the question
        found += [Holding(gpu, int(row.pid), row.usedGpuMemory) for row in rows]
    return tuple(found)


@cache
def _nvml() -> Any:
    """The library, ready to be asked, or None. Where there is no driver it is not even loaded."""
    if not any(Path(device).exists() for device in _DEVICES):
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
