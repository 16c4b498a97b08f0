"""
Where this process may make a control group, and which limits the kernel keeps there.

Version 1 has a hierarchy for each controller, and a group below our own is always bounded by it. In version 2 a group
that holds processes cannot give controllers to groups below it, so a place beside us is looked for, never one beyond
a limit that was put upon us, nor outside a systemd service: what runs in a service must end with it.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

LIMITS_OF = {"memory": "memory", "cpu": "cpus", "pids": "pids"}
"""The limit that each controller keeps."""
_UNBOUNDED = ("max", "")


class Mount(NamedTuple):
    """A mounted hierarchy: ``root`` is the group that is seen at ``point``."""

    root: str
    point: str
    version: int
    options: tuple[str, ...]


class Place(NamedTuple):
    """A folder in which a group may be made, and the limits the kernel keeps for it."""

    folder: str
    version: int
    limits: tuple[str, ...]


def mounts(text: str) -> tuple[Mount, ...]:
    """The hierarchies in the text of a ``/proc/PID/mountinfo``."""
    found = []
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        fields, kind = head.split(), tail.split()
        if len(fields) >= 5 and len(kind) >= 3 and kind[0] in ("cgroup", "cgroup2"):
            version = 2 if kind[0] == "cgroup2" else 1
            found.append(Mount(fields[3], fields[4], version, tuple(kind[2].split(","))))
    return tuple(found)


def memberships(text: str) -> dict[str, str]:
    """From the text of a ``/proc/PID/cgroup``: the group by controller, that of version 2 by the empty word."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            found.update(dict.fromkeys(parts[1].split(","), parts[2]))
    return found


def folder_of(mount: Mount, group: str) -> str | None:
    """Where ``group`` is seen through ``mount``; None when it is not below what is mounted."""
    root = mount.root.rstrip("/")
    if ".." in group.split("/") or not (group + "/").startswith(root + "/"):
        return None
    return (mount.point.rstrip("/") + group[len(root) :]).rstrip("/")


def places(asked: Collection[str]) -> tuple[Place, ...]:
    """
    Where a group with the limits ``asked`` for can be made now, at most one place for each hierarchy.

    The place of version 2 is told even when it keeps no limit: its groups can be counted and ended as a whole.
    """
    groups = memberships(read("/proc/self/cgroup"))
    found: list[Place] = []
    for mount in mounts(read("/proc/self/mountinfo")):
        place = place_in(mount, groups, asked)
        if place is not None and not any(set(place.limits) & set(other.limits) for other in found):
            found.append(place)
    return tuple(found)


def place_in(mount: Mount, groups: dict[str, str], asked: Collection[str]) -> Place | None:
    """The place in one hierarchy for a process that is in ``groups``; None where nothing can be made or kept."""
    return _unified(mount, groups, asked) if mount.version == 2 else _of_version_1(mount, groups, asked)


def _of_version_1(mount: Mount, groups: dict[str, str], asked: Collection[str]) -> Place | None:
    limits = tuple(LIMITS_OF[word] for word in mount.options if LIMITS_OF.get(word) in asked)
    group = next((groups[word] for word in mount.options if word in groups), None)
    folder = folder_of(mount, group) if group is not None else None
    return Place(folder, 1, limits) if limits and folder and _ours(folder) else None


def _unified(mount: Mount, groups: dict[str, str], asked: Collection[str]) -> Place | None:
    folder = folder_of(mount, groups[""]) if "" in groups else None
    best: Place | None = None
    while folder:
        if _ours(folder):
            limits = _given_below(folder, asked)
            if best is None or len(limits) > len(best.limits):
                best = Place(folder, 2, limits)
        if folder == mount.point or _bounds_us(folder):
            break
        folder = os.path.dirname(folder)
    return best


def _ours(folder: str) -> bool:
    """Whether groups may be made there and processes of ours moved into them."""
    return os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK)


def _given_below(folder: str, asked: Collection[str]) -> tuple[str, ...]:
    given = read(f"{folder}/cgroup.subtree_control").split()
    return tuple(LIMITS_OF[word] for word in given if LIMITS_OF.get(word) in asked)


def _bounds_us(folder: str) -> bool:
    """Whether a group outside ``folder`` would be out of something that was meant to hold us."""
    if folder.endswith(".service"):
        return True
    values = (read(f"{folder}/{name}").partition(" ")[0].strip() for name in ("memory.max", "memory.high", "cpu.max"))
    return any(value not in _UNBOUNDED for value in values)


def read(path: str) -> str:
    """The text of a file of the kernel's; nothing when it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        pieces = []
        while piece := os.read(fd, 65536):
            pieces.append(piece)
        return b"".join(pieces).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)
