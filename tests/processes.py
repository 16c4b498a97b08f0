"""What a test asks about processes, and how it waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def eventually(true: Callable[[], bool], what: str, within: float = 20.0) -> None:
    """Wait for a condition, or fail saying what was waited for."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"


def supervisors_of(state_dir: str) -> dict[int, str]:
    """Every supervisor of ``state_dir`` that is alive, by its command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                if state_dir.encode() in line:
                    found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
    return found
