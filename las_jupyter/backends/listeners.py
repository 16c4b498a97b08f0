"""Who listens on a port of this machine, from ``/proc``: a ready answer counts only when it comes from our tree."""

from __future__ import annotations

import os
from collections.abc import Iterable

_LISTENING = b"0A"


def listening_inodes(port: int) -> set[bytes]:
    """The inodes of all sockets of this network namespace that listen on ``port``."""
    wanted = b":%04X" % port
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, "rb", buffering=4096) as file:
                for line in file:  # never whole: a busy machine has thousands, and we would keep the memory
                    if wanted in line:
                        row = line.split(None, 10)
                        if row[3] == _LISTENING and row[1].endswith(wanted):
                            found.add(row[9])
        except OSError:
            continue
    return found


def holds(pid: int, inodes: set[bytes]) -> bool | None:
    """Whether the process has one of these sockets open; None when we may not look."""
    folder = f"/proc/{pid}/fd"
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    for entry in entries:
        try:
            link = os.fsencode(os.readlink(f"{folder}/{entry}"))
        except OSError:
            continue
        if link.startswith(b"socket:[") and link[8:-1] in inodes:
            return True
    return False


def owned_by(pids: Iterable[int], port: int) -> bool | None:
    """Whether one of ``pids`` listens on ``port``; None when nobody is seen listening or nobody may be looked at."""
    inodes = listening_inodes(port)
    if not inodes:
        return None
    looks = [holds(pid, inodes) for pid in pids]
    if any(looks):
        return True
    return None if None in looks else False


def holder(port: int) -> int | None:
    """The process that listens on ``port``, as far as we may look; for a sentence, never for a signal."""
    inodes = listening_inodes(port)
    if not inodes:
        return None
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return next((pid for pid in pids if holds(pid, inodes)), None)
