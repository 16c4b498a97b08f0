"""
A systemd scope as the keeper of limits, where we may make no control group ourselves but a systemd that runs may.

``systemd-run --scope`` has itself put into a new group and becomes the program: process id, environment, descriptors
and folder stay as they are.
"""

from __future__ import annotations

import _socket
import os
import time
from collections.abc import Collection
from typing import NamedTuple

from las_jupyter.core.launch import Limits
from las_jupyter.limits.cgroup import LIMITS_OF, Place, folder_of, memberships, mounts, read

_ENTERED_WITHIN = 3.0
_PROGRAM = "systemd-run"
_NO_LIMIT = 2**62  # what version 1 says of a group without one
_SET_IN = {
    1: {"memory": "memory.limit_in_bytes", "cpus": "cpu.cfs_quota_us", "pids": "pids.max"},
    2: {"memory": "memory.max", "cpus": "cpu.max", "pids": "pids.max"},
}


class Manager(NamedTuple):
    """A systemd that answers: its program, whose it is, and which limits it can have kept."""

    program: str
    user: bool
    limits: tuple[str, ...]
    runtime_dir: str = ""
    service: str = ""


def manager(asked: Collection[str]) -> Manager | None:
    """The systemd that can keep at least one of the limits ``asked`` for; None where there is none."""
    program = _program(_PROGRAM)
    if program is None:
        return None
    uid = os.geteuid()
    if uid == 0:
        found = Manager(program, False, _system_limits(asked), "", own_service(read("/proc/self/cgroup"), user=False))
        running = read("/proc/1/comm").strip() == "systemd" and _answers("/run/systemd/private")
    else:
        folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
        service = own_service(read("/proc/self/cgroup"), user=True)
        found = Manager(program, True, _user_limits(uid, asked), folder, service)
        running = _answers(f"{folder}/systemd/private")
    return found if found.limits and running else None


def prefix(by: Manager, unit: str, limits: Limits) -> list[str]:
    """What to put before argv so that it runs in the scope ``unit`` with the limits ``by`` can keep."""
    words = [by.program, *(["--user"] if by.user else []), "--scope", "--quiet", "--collect", f"--unit={unit}"]
    if limits.memory and "memory" in by.limits:
        words += ["-p", f"MemoryMax={limits.memory}", "-p", "MemorySwapMax=0"]
    if limits.cpus and "cpus" in by.limits:
        words += ["-p", f"CPUQuota={max(1, round(limits.cpus * 100))}%"]
    if limits.pids and "pids" in by.limits:
        words += ["-p", f"TasksMax={limits.pids}"]
    if by.service:  # what runs in a service must end with it
        words += ["-p", f"BindsTo={by.service}"]
    return [*words, "--"]


def entered(pid: int, unit: str) -> tuple[Place, ...]:
    """
    Where process ``pid`` is in the scope ``unit``, once it is the module, with the limits that are really set there.

    Nothing when it ended or did not enter within three seconds.
    """
    deadline = time.monotonic() + _ENTERED_WITHIN
    while time.monotonic() < deadline:
        groups, name = memberships(read(f"/proc/{pid}/cgroup")), read(f"/proc/{pid}/comm").strip()
        if any(group.endswith(f"/{unit}") for group in groups.values()) and name != _PROGRAM:
            return _places_of(unit, groups)
        if not groups or read(f"/proc/{pid}/stat").rpartition(")")[2].lstrip()[:1] in ("Z", "X", ""):
            break
        time.sleep(0.002)
    return ()


def _places_of(unit: str, groups: dict[str, str]) -> tuple[Place, ...]:
    found = []
    for mount in mounts(read("/proc/self/mountinfo")):
        words = ("",) if mount.version == 2 else mount.options
        group = next((groups[word] for word in words if word in groups), "")
        folder = folder_of(mount, group) if group.endswith(f"/{unit}") else None
        if folder and os.path.isdir(folder):
            rows = _SET_IN[mount.version].items()
            kept = tuple(limit for limit, name in rows if _is_set(read(f"{folder}/{name}")))
            found.append(Place(folder, mount.version, kept))
    return tuple(found)


def _is_set(text: str) -> bool:
    word = text.split()[0] if text.split() else ""
    return word.isdigit() and int(word) < _NO_LIMIT


def own_service(text: str, *, user: bool) -> str:
    """The service we run in, by the text of our ``/proc/PID/cgroup``; a user's systemd knows only those below it."""
    groups = memberships(text)
    words = (groups.get("") or groups.get("name=systemd", "")).split("/")
    if user:
        own = next((at for at, word in enumerate(words) if word.startswith("user@")), len(words))
        words = words[own + 1 :]
    return next((word for word in reversed(words) if word.endswith(".service")), "")


def _system_limits(asked: Collection[str]) -> tuple[str, ...]:
    given: list[str] = []
    for mount in mounts(read("/proc/self/mountinfo")):
        given += read(f"{mount.point}/cgroup.controllers").split() if mount.version == 2 else mount.options
    return tuple(dict.fromkeys(LIMITS_OF[word] for word in given if LIMITS_OF.get(word) in asked))


def _user_limits(uid: int, asked: Collection[str]) -> tuple[str, ...]:
    """Only version 2 gives controllers to a user's systemd, and only those it was delegated."""
    path = f"user.slice/user-{uid}.slice/user@{uid}.service/cgroup.controllers"
    given = [read(f"{each.point}/{path}") for each in mounts(read("/proc/self/mountinfo")) if each.version == 2]
    return tuple(LIMITS_OF[word] for word in " ".join(given).split() if LIMITS_OF.get(word) in asked)


def _program(name: str) -> str | None:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    return None


def _answers(path: str) -> bool:
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        probe.settimeout(0.5)
        probe.connect(path)
    except OSError:
        return False
    finally:
        probe.close()
    return True
