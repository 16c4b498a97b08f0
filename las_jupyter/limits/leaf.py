"""
The control group of one start: made before the module, entered by it, removed when nothing of it is left.

Its folders are noted in the instance's folder before they are made, so that whoever takes over from a killed
supervisor finds them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from las_jupyter.core.launch import Limits
from las_jupyter.limits.cgroup import Place, read
from las_jupyter.limits.tree import Proc, boot_id, read_process

PREFIX = "las-"
SCOPE = "systemd scope"
_PERIOD = 100_000
_LEAST_QUOTA = 1000
_NOTE = "cgroups"
_DEEPEST = 16
_AS_GOOD_AS_ALL = 0.95
_YOUNG = 60.0
MARK_LENGTH = 8
_LAST_MOMENTS = 0.2


class Killed(NamedTuple):
    """How many processes the kernel killed for memory, and whether it was the group's own limit."""

    number: int
    at_limit: bool


class Leaf:
    """The group in every hierarchy it is in; ``kept`` says for each limit which version keeps it."""

    def __init__(self, parts: Iterable[Place], note: str = "") -> None:
        self.parts, self.note = tuple(parts), note
        # systemd takes a scope away when it is empty, and the count with it; the slice around it still has the sum.
        self._slices = {part: _kills(os.path.dirname(part.folder)) for part in self.parts if _is_scope(part)}

    @property
    def kept(self) -> dict[str, str]:
        """For each limit kept here, who keeps it."""
        means = {part: SCOPE if _is_scope(part) else f"cgroup v{part.version}" for part in self.parts}
        return {limit: means[part] for part in self.parts for limit in part.limits}

    @property
    def entrances(self) -> tuple[str, ...]:
        """The files a process writes ``0`` to in order to enter."""
        return tuple(f"{part.folder}/cgroup.procs" for part in self.parts)

    def members(self) -> dict[int, Proc]:
        """Every process in it. What was read of a number is told only if that number is in the group afterwards."""
        found = {}
        for part in self.parts:
            for folder in _with_below(part.folder):
                for word in read(f"{folder}/cgroup.procs").split():
                    process = read_process(int(word)) if int(word) not in found else None
                    if process is not None and self._holds(process.pid):
                        found[process.pid] = process
        return found

    def _holds(self, pid: int) -> bool:
        text = read(f"/proc/{pid}/cgroup") + "\n"
        return any(f"/{os.path.basename(part.folder)}{end}" in text for part in self.parts for end in "/\n")

    def kill(self) -> bool:
        """End everything in it at once, or at least let nothing be forked; whether the former was possible."""
        done = False
        for part in self.parts:
            if part.version == 2:
                done = _written(f"{part.folder}/cgroup.kill", "1") or done
            if "pids" in part.limits:
                _written(f"{part.folder}/pids.max", "0")
        return done

    def killed(self) -> Killed | None:
        """What the kernel killed in it for memory; None when that cannot be known."""
        part = next((part for part in self.parts if "memory" in part.limits), None)
        if part is None:
            return None
        if part.version == 2:
            return self._killed_by_version_2(part)
        control = _table(f"{part.folder}/memory.oom_control")
        # Not every kernel counts failures; what was used at most tells as well, give or take a batch of pages.
        most, limit = (_number(f"{part.folder}/memory.{name}_in_bytes") for name in ("max_usage", "limit"))
        return Killed(control["oom_kill"], most >= limit * _AS_GOOD_AS_ALL) if "oom_kill" in control else None

    def _killed_by_version_2(self, part: Place) -> Killed | None:
        events = _table(f"{part.folder}/memory.events")
        if events:
            return Killed(events.get("oom_kill", 0), events.get("oom", 0) > 0)
        if part not in self._slices:
            return None
        count = _kills(os.path.dirname(part.folder)) - self._slices[part]
        return Killed(count, count > 0)

    def cpu_seconds(self) -> float | None:
        """CPU time of everything that ever was in it; None where the kernel does not count it."""
        for part in self.parts:
            used = _table(f"{part.folder}/cpu.stat").get("usage_usec") if part.version == 2 else None
            if used is not None:
                return used / 1e6
        return None

    def remove(self) -> bool:
        """Take it away; False when something is still in it."""
        until = time.monotonic() + _LAST_MOMENTS  # a process is in its group a moment longer than it is listed there
        while not self._removed():
            if self.members() or time.monotonic() >= until:
                return False
            time.sleep(0.002)
        if self.note:
            try:
                os.unlink(self.note)
            except OSError:
                pass
        return True

    def give_up(self, part: Place) -> None:
        """Do without one hierarchy."""
        Leaf((part,)).remove()
        self.parts = tuple(other for other in self.parts if other != part)

    def _removed(self) -> bool:
        gone = True
        for part in self.parts:
            for folder in reversed(_with_below(part.folder)) if not _is_scope(part) else ():
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    pass
                except OSError:
                    gone = False
        return gone


def make(name: str, limits: Limits, where: Iterable[Place], folder: str) -> Leaf:
    """
    A group called ``name`` in every place of ``where`` that works out, noted in the instance's ``folder``.

    A place that fails is left out: its limits are for others to keep.
    """
    intended = tuple(place._replace(folder=f"{place.folder}/{name}") for place in where)
    note = os.path.join(folder, _NOTE)
    if not intended or not _noted(note, intended):
        return Leaf(())
    parts = []
    for part in intended:
        try:
            os.mkdir(part.folder)
        except OSError:
            continue
        kept = tuple(limit for limit in part.limits if _BOUNDS[limit](part, limits))
        if kept or part.version == 2:
            parts.append(part._replace(limits=kept))
        else:
            os.rmdir(part.folder)
    _noted(note, parts)
    return Leaf(parts, note)


def sweep(where: Iterable[Place]) -> None:
    """
    Remove the groups that died with their supervisor and that nobody looked for since.

    The kernel refuses while a process is in one; a young one may be about to be entered.
    """
    for place in where:
        try:
            names = os.listdir(place.folder)
        except OSError:
            continue
        for name in names:
            path = f"{place.folder}/{name}"
            try:
                if _is_ours(name) and time.time() - os.stat(path).st_mtime > _YOUNG:
                    os.rmdir(path)
            except OSError:
                continue


def _is_ours(name: str) -> bool:
    """Whether it is called like the group of a start: ``las-NAME-GENERATION-MARK``."""
    head, generation, mark = ([*name.rsplit("-", 2), "", ""])[:3]
    return head.startswith(PREFIX) and generation.isdigit() and len(mark) == MARK_LENGTH and mark.isalnum()


def found(parts: Iterable[Place], folder: str) -> Leaf:
    """The group that systemd made, noted in the instance's ``folder``."""
    leaf = Leaf(parts, os.path.join(folder, _NOTE))
    _noted(leaf.note, leaf.parts)
    return leaf


def noted(folder: str) -> Leaf:
    """The group noted in the instance's ``folder``: what is still there of it."""
    note = os.path.join(folder, _NOTE)
    boot, *lines = read(note).splitlines() or [""]
    parts = []
    for line in lines if boot == boot_id() else ():
        version, limits, path = [*line.split("\t"), "", ""][:3]
        if version in ("1", "2") and os.path.basename(path).startswith(PREFIX) and os.path.isdir(path):
            parts.append(Place(path, int(version), tuple(filter(None, limits.split(",")))))
    return Leaf(parts, note)


def _is_scope(part: Place) -> bool:
    return part.folder.endswith(".scope")


def _kills(folder: str) -> int:
    return _table(f"{folder}/memory.events").get("oom_kill", 0)


def _noted(note: str, parts: Iterable[Place]) -> bool:
    rows = [f"{part.version}\t{','.join(part.limits)}\t{part.folder}\n" for part in parts]
    try:
        fd = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.write(fd, "".join([boot_id() + "\n", *rows]).encode())
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _bound_memory(part: Place, limits: Limits) -> bool:
    size = str(limits.memory)
    if part.version == 2:
        kept = _written(f"{part.folder}/memory.max", size)
        _written(f"{part.folder}/memory.swap.max", "0")
        _written(f"{part.folder}/memory.oom.group", "1")  # half a server is none
        return kept
    kept = _written(f"{part.folder}/memory.limit_in_bytes", size)
    _written(f"{part.folder}/memory.memsw.limit_in_bytes", size)
    return kept


def _bound_cpus(part: Place, limits: Limits) -> bool:
    quota = max(_LEAST_QUOTA, int((limits.cpus or 0) * _PERIOD))
    if part.version == 2:
        return _written(f"{part.folder}/cpu.max", f"{quota} {_PERIOD}")
    return _written(f"{part.folder}/cpu.cfs_period_us", str(_PERIOD)) and _written(
        f"{part.folder}/cpu.cfs_quota_us", str(quota)
    )


def _bound_pids(part: Place, limits: Limits) -> bool:
    return _written(f"{part.folder}/pids.max", str(limits.pids))


_BOUNDS = {"memory": _bound_memory, "cpus": _bound_cpus, "pids": _bound_pids}


def _written(path: str, word: str) -> bool:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(fd, word.encode())
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _table(path: str) -> dict[str, int]:
    rows = (line.split() for line in read(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _number(path: str) -> int:
    word = read(path).strip()
    return int(word) if word.isdigit() else 0


def _with_below(folder: str, depth: int = 0) -> list[str]:
    """``folder`` and the groups the module made in it, upper ones first."""
    found = [folder]
    try:
        if os.stat(folder).st_nlink > 2 and depth < _DEEPEST:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        found += _with_below(entry.path, depth + 1)
    except OSError:
        pass
    return found
