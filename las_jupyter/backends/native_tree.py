"""
Which processes belong to a native instance.

As their sub-reaper we need no marks: whatever the module starts, however often it forks, stays a descendant of ours,
and it can never come back into our session. A supervisor that took over from a dead one is nobody's ancestor; it goes
by the session, the mark in the environment, descent, and what its predecessor noted. A title set by the module
(setproctitle) can wipe the mark, which is why it is only one of four.
"""

from __future__ import annotations

import os
import time

from las_jupyter.backends.process_id import ProcessId
from las_jupyter.limits.tree import Proc, all_processes, read_process

MARK = "LAS_JUPYTER_MARK"
_MOST = 4096
_LOOKS = 20


def children(pid: int) -> list[int]:
    """The children of all threads of ``pid`` now."""
    found: list[int] = []
    folder = f"/proc/{pid}/task"
    try:
        threads = os.listdir(folder)
    except OSError:
        return found
    for thread in threads:
        data = _read(f"{folder}/{thread}/children")
        if data:
            found.extend(int(word) for word in data.split())
    return found


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        pieces = []
        while piece := os.read(fd, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError:
        return b""
    finally:
        os.close(fd)


def reap() -> dict[int, int]:
    """
    The wait statuses, by pid, of our ended children outside our own session.

    Children inside it are somebody else's in this process: a test's, a container engine's client.
    """
    found = {}
    mine = os.getsid(0)
    for pid in children(os.getpid()):
        process = read_process(pid)
        if process is None or process.state not in "ZX" or process.session == mine:
            continue
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue
        if done:
            found[done] = status
    return found


def brood() -> list[Proc]:
    """Our living direct children outside our session: main processes, and orphans that came to us."""
    mine = os.getsid(0)
    found = (read_process(pid) for pid in children(os.getpid()))
    return [each for each in found if each is not None and each.session != mine and is_alive(each)]


def is_alive(process: Proc) -> bool:
    """
    Whether anything of it still runs.

    A process whose first thread ended looks like a zombie while its other threads go on: it still holds its memory,
    and its children are still its own and not yet ours. A killed server with a hundred threads is one for a while.
    """
    if process.state not in "ZX":
        return True
    try:
        return len(os.listdir(f"/proc/{process.pid}/task")) > 1
    except OSError:
        return False


def household() -> dict[int, Proc]:
    """
    Everything alive below us outside our session, by pid.

    An orphan comes to us at the moment its parent is gone. When that happens behind our look at our own children it
    would be missed at both places, so we look again until nobody came meanwhile.
    """
    found: dict[int, Proc] = {}
    for _ in range(_LOOKS):
        before = children(os.getpid())
        found = descendants(brood())
        if children(os.getpid()) == before:
            break
    return found


def descendants(roots: list[Proc]) -> dict[int, Proc]:
    """``roots`` and everything below them, by pid; zombies are not alive but their children may be."""
    found = {process.pid: process for process in roots}
    waiting = list(found)
    while waiting and len(found) < _MOST:
        for pid in children(waiting.pop()):
            process = read_process(pid) if pid not in found else None
            if process is not None:
                found[pid] = process
                waiting.append(pid)
    return {pid: process for pid, process in found.items() if is_alive(process)}


class Traces:
    """
    How a supervisor that is not the ancestor finds the tree of ``main``.

    Unless main was ``proven`` to live, its number may be somebody else's session by now, and the session tells nothing.
    """

    def __init__(self, main: ProcessId, *, proven: bool) -> None:
        self._main, self._mark = main, f"{MARK}={main.mark}".encode() if main.mark else b""
        self._known: set[tuple[int, int]] = set()
        self._strangers: set[tuple[int, int]] = set()
        self._session_until = float("inf") if proven else 0.0

    def main_ended(self) -> None:
        """From now on a new process may get main's number and lead a session of that number: it is not ours."""
        self._session_until = min(self._session_until, _ticks_now())

    def alive(self) -> dict[int, Proc]:
        """Everything of it that lives now, main included, by pid."""
        everyone = all_processes()
        roots = [process for process in everyone.values() if self._is_ours(process)]
        below: dict[int, list[Proc]] = {}
        for process in everyone.values():
            below.setdefault(process.parent, []).append(process)
        found = {process.pid: process for process in roots}
        waiting = list(found)
        while waiting:
            for process in below.get(waiting.pop(), ()):
                if process.pid not in found:
                    found[process.pid] = process
                    waiting.append(process.pid)
        living = {pid: process for pid, process in found.items() if process.state not in "ZX"}
        self._known = {(process.pid, process.ticks) for process in living.values()}
        return living

    def _is_ours(self, process: Proc) -> bool:
        key = (process.pid, process.ticks)
        if key in self._known or key == (self._main.pid, self._main.ticks):
            return True
        if process.ticks < self._main.ticks or key in self._strangers or process.pid == os.getpid():
            return False
        if process.session == self._main.pid and process.ticks <= self._session_until:
            return True
        if self._mark and self._mark in _read(f"/proc/{process.pid}/environ"):
            return True
        if process.state not in "ZX":
            self._strangers.add(key)
        return False


def _ticks_now() -> int:
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
