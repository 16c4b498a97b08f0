"""
Which processes belong to an instance: by descent and by session, never by name.

A title or an environment can be rewritten by the process itself (setproctitle does both); who its parent and what its
session is cannot be faked away from us.
"""

from __future__ import annotations

import os
from typing import NamedTuple


class Proc(NamedTuple):
    """One process as ``/proc/PID/stat`` has it. ``ticks`` is its start in clock ticks since boot."""

    pid: int
    name: str
    state: str
    parent: int
    session: int
    ticks: int
    cpu_ticks: int
    threads: int = 1


def read_process(pid: int) -> Proc | None:
    """The process, or None when there is none of that id."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, 4096).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name stands in parentheses and may hold parentheses and blanks itself.
    begin, end = text.find("("), text.rfind(")")
    if begin < 0 or end < 0:
        return None
    fields = text[end + 2 :].split()
    return Proc(pid, text[begin + 1 : end], fields[0], int(fields[1]), int(fields[3]), int(fields[19]),
                int(fields[11]) + int(fields[12]), int(fields[17]))  # fmt: skip


def all_processes() -> dict[int, Proc]:
    """Every process that can be read now, by id."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            process = read_process(int(entry))
            if process is not None:
                found[process.pid] = process
    return found


def members(main: int, supervisor: int | None = None) -> tuple[Proc, ...]:
    """
    The living processes of the instance whose main process is, or was, ``main``.

    They are the descendants of ``main``, everything in the session it leads, the descendants of those, and, while
    ``supervisor`` is the sub-reaper, everything that was re-parented to it. Zombies are not alive.
    """
    everyone = all_processes()
    children: dict[int, list[int]] = {}
    for process in everyone.values():
        children.setdefault(process.parent, []).append(process.pid)
    ours = {pid for pid, process in everyone.items() if process.session == main}
    if main in everyone:
        ours.add(main)
    if supervisor is not None:
        ours.update(children.get(supervisor, ()))
    waiting = list(ours)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in ours:
                ours.add(child)
                waiting.append(child)
    ours.discard(supervisor or -1)
    return tuple(everyone[pid] for pid in sorted(ours) if everyone[pid].state not in "ZX")


def boot_id() -> str:
    """The id of this boot; every process id of another boot is dead."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().strip().decode()
    except OSError:
        return ""
