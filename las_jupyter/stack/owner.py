"""Who asks: this process, named so that it cannot be mistaken for a later one with the same number."""

from __future__ import annotations

import os
from pathlib import Path

from las_jupyter.core.launch import Owner


def this_process(label: str = "") -> Owner:
    """Process id, start time in clock ticks and boot id of this process, as ``Lifetime.KERNEL`` needs them."""
    stat = Path("/proc/self/stat").read_text()
    # The command name may hold spaces and brackets; the fields proper begin after its last bracket.
    ticks = int(stat[stat.rindex(")") + 2 :].split()[19])
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return Owner(os.getpid(), ticks, boot, label or f"process {os.getpid()}")
