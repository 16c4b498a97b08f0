"""
Who keeps the limits of a native instance: a control group of ours, else a systemd scope, else the supervisor's watch.

Each limit is for the first of them that can keep it. Open files are the kernel's own limit of a process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.backends import native_exec
from las_jupyter.core.backend import ExitStatus, StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import LaunchSpec, Limits
from las_jupyter.limits import leaf as leaves
from las_jupyter.limits.cgroup import places
from las_jupyter.limits.leaf import Killed, Leaf

if TYPE_CHECKING:
    from las_jupyter.limits.systemd import Manager

WATCHED = "watched"
_GROUPED = ("memory", "cpus", "pids")
_WORTH_A_SCOPE = ("memory", "cpus")


class Confined(NamedTuple):
    """A started process and the group that holds it."""

    pid: int
    leaf: Leaf


def start(argv: list[str], env: dict[str, str], spec: LaunchSpec, files: StartFiles, mark: str) -> Confined:
    """Start it within its limits. Raises ``LaunchFailed``, and then nothing is left of a group."""
    limits = spec.limits
    where = places(asked(limits))
    leaves.noted(files.instance_dir).remove()
    leaves.sweep(where)
    name = f"{leaves.PREFIX}{spec.name}-{files.generation}-{mark[: leaves.MARK_LENGTH]}"
    leaf = leaves.make(name, limits, where, files.instance_dir)
    lacking = [each for each in _WORTH_A_SCOPE if each in asked(limits) and each not in leaf.kept]
    by = _systemd(asked(limits)) if lacking else None
    if by is not None and set(lacking) & set(by.limits) and _can_run(argv[0], env):
        leaf.remove()
        found = start_in_scope(by, f"{name}.scope", argv, env, spec, files)
        if found is not None:
            return found
        leaf = leaves.make(name, limits, where, files.instance_dir)
    return start_in(leaf, argv, env, spec, files)


def start_in(leaf: Leaf, argv: list[str], env: dict[str, str], spec: LaunchSpec, files: StartFiles) -> Confined:
    """Start it inside ``leaf``; a part that does not let it in is given up, and with it the limits kept there."""
    while True:
        try:
            return Confined(native_exec.start(argv, env, spec, files, leaf.entrances), leaf)
        except native_exec.CannotEnter as refused:
            leaf.give_up(leaf.parts[refused.which])
        except LaunchFailed:
            leaf.remove()
            raise


def start_in_scope(
    by: Manager, unit: str, argv: list[str], env: dict[str, str], spec: LaunchSpec, files: StartFiles
) -> Confined | None:
    """None when systemd did not do it; then nothing was started."""
    from las_jupyter.limits import systemd

    helped = {"XDG_RUNTIME_DIR": by.runtime_dir, **env} if by.runtime_dir else env
    try:
        pid = native_exec.start([*systemd.prefix(by, unit, spec.limits), *argv], helped, spec, files)
    except LaunchFailed:
        return None
    entered = systemd.entered(pid, unit)
    if not entered:
        _end_child(pid)
        return None
    return Confined(pid, leaves.found(entered, files.instance_dir))


def _systemd(limits: tuple[str, ...]) -> Manager | None:
    """The systemd that can keep some of ``limits``; loaded only where a control group of ours cannot."""
    from las_jupyter.limits.systemd import manager

    return manager(limits)


def _end_child(pid: int) -> None:
    """End our own unreaped child: its number cannot mean anybody else."""
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def _can_run(program: str, env: dict[str, str]) -> bool:
    """What cannot be run is started without systemd's help, so that its error is told as ever."""
    folders = [""] if "/" in program else env.get("PATH", os.defpath).split(os.pathsep)
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in folders)


def foreseen() -> dict[str, str]:
    """Who would keep each limit of a server that started now. A kernel may still refuse; the status tells what is."""
    kept = {limit: f"cgroup v{place.version}" for place in places(_GROUPED) for limit in place.limits}
    by = _systemd(_GROUPED) if any(limit not in kept for limit in _WORTH_A_SCOPE) else None
    scope = dict.fromkeys(by.limits if by else (), leaves.SCOPE)
    return enforcement(Limits(memory=1, cpus=1.0, pids=1), {**scope, **kept})


def asked(limits: Limits) -> tuple[str, ...]:
    """The limits asked for that a control group can keep."""
    return tuple(name for name in _GROUPED if getattr(limits, name))


def enforcement(limits: Limits, kept: dict[str, str]) -> dict[str, str]:
    """Who keeps each limit asked for, given what the group keeps."""
    found = {"memory": WATCHED, "cpus": "none", "pids": WATCHED}
    found = {name: kept.get(name, found[name]) for name in asked(limits)}
    return {**found, "nofile": "rlimit"} if limits.nofile else found


def judged(status: ExitStatus, killed: Killed | None, *, insisted: bool, asked_to_stop: bool, lately: bool,
           limit: int | None) -> ExitStatus:  # fmt: skip
    """
    ``status`` with what the kernel's count of kills for memory adds.

    A KILL is the kernel's when it counted one and we sent none. Another bad end is put down to memory only when the
    kernel had killed a process of the tree shortly before, and nobody asked for the end.
    """
    if status.signal == "SIGKILL" and insisted:
        return status._replace(oom=False)
    if killed is None:
        return status
    if not killed.number:
        return status._replace(oom=False)
    if status.signal is None and status.code is None:
        return status._replace(evidence=f"{status.evidence}, and the kernel killed {killed.number} of it for memory")
    by_kill = status.signal == "SIGKILL"
    by_loss = lately and not asked_to_stop and status.code != 0
    if not (by_kill or by_loss):
        return status._replace(oom=False)
    at = limit if killed.at_limit else None
    return status._replace(oom=True, oom_limit=at, evidence=f"{status.evidence}; the kernel counted {killed.number}")
