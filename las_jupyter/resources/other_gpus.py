"""
GPUs that NVML does not know: AMD's by what the kernel shows in ``/sys``, Apple's by ``sysctl``.

Nothing is loaded and no tool is needed: a few small files are read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_MIB = 2**20
_GIB = 2**30
_LARGE_MAC = 36 * _GIB


class GpuFacts(NamedTuple):
    """One GPU by its driver: its index, name, and memory in bytes. ``unified``: it shares the machine's memory."""

    id: str
    name: str
    memory_total: int
    memory_free: int
    vendor: str = "nvidia"
    unified: bool = False


def amd_gpus(sys: Path = Path("/sys")) -> tuple[GpuFacts, ...]:
    """
    The GPUs that ROCm can use, in its own order: the nodes of the compute driver that have processors.

    Without that driver (``/dev/kfd``) there are none, though a screen may hang on one.
    """
    nodes = sys / "class/kfd/kfd/topology/nodes"
    found: list[GpuFacts] = []
    for node in sorted(_folders(nodes), key=lambda each: int(each.name) if each.name.isdigit() else 0):
        said = parse_properties(_text(node / "properties"))
        if not said.get("simd_count"):
            continue  # a processor of the machine is a node too
        device = sys / "class/drm" / f"renderD{said.get('drm_render_minor', -1)}" / "device"
        total, used = _number(device / "mem_info_vram_total"), _number(device / "mem_info_vram_used")
        name = _text(device / "product_name").strip() or target_name(said.get("gfx_target_version", 0))
        found.append(GpuFacts(str(len(found)), name, total, max(0, total - used), "amd"))
    return tuple(found)


def parse_properties(text: str) -> dict[str, int]:
    """The ``name number`` lines of a node of the compute driver; others are left out."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if value.strip().isascii() and value.strip().isdigit():
            found[name] = int(value)
    return found


def target_name(version: int) -> str:
    """``gfx90a`` for 90010, as ROCm writes it: the last two places are hexadecimal."""
    return f"AMD gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}" if version else "AMD GPU"


def apple_gpu(sysctl: str, available: int | None = None) -> GpuFacts | None:
    """
    The GPU of an Apple chip, from the output of ``sysctl machdep.cpu.brand_string hw.memsize iogpu.wired_limit_mb``.

    It uses the machine's own memory, of which macOS lets it have two thirds, three quarters from 36 GiB on, or what
    ``iogpu.wired_limit_mb`` says. ``available`` is the memory that can be had now, in bytes; None: unknown.
    """
    said = dict(re.findall(r"^([\w.]+)[:=] *(.*)$", sysctl, re.MULTILINE))
    name, memory = said.get("machdep.cpu.brand_string", "").strip(), said.get("hw.memsize", "").strip()
    if not name.startswith("Apple") or not memory.isdigit():
        return None
    total = int(memory)
    share = total * 3 // 4 if total >= _LARGE_MAC else total * 2 // 3
    wired = said.get("iogpu.wired_limit_mb", "0").strip()
    limit = int(wired) * _MIB if wired.isdigit() and int(wired) else share
    limit = min(limit, total)
    return GpuFacts("0", name, limit, limit if available is None else min(limit, available), "apple", unified=True)


def _folders(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        with path.open(errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isascii() and text.isdigit() else 0
