"""
A start from the request to the running instance.

Plan, fetch what is missing, plan again with what was fetched, start what it needs first, then start it. When a later
step fails, what this start brought up itself is stopped again: a failed start leaves nothing running.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InstanceConflict, LasError, LaunchFailed, NoSuchInstance, PortTaken
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.quantities import format_size
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.secrecy import secret_variables
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Lifetime, ProcessState
from las_jupyter.display.progress import Progress
from las_jupyter.display.words import ago
from las_jupyter.runtime import kept_data
from las_jupyter.stack.owner import this_process
from las_jupyter.stack.rooms import Rooms
from las_jupyter.stack.waiting import going_on_without_us, interruptible, telling, wait_ready
from las_jupyter.state.paths import StatePaths

_SECRET_BYTES = 32
_ROUNDS = 50
"""More clients than start at one moment; each round costs one look at the world."""


class Outcome(NamedTuple):
    """The instance after a start, and whether it ran before."""

    snapshot: Snapshot
    reused: bool


def bring_up(rooms: Rooms, request: StartRequest, progress: Progress, *, wait: bool, now: float) -> Outcome:
    """Carry out ``request``. Raises what planning, fetching, launching and waiting raise."""
    plan = _with_everything_fetched(rooms, request, progress)
    for warning in plan.warnings:
        progress.note(f"Warning: {warning}")
    fresh: list[str] = []
    try:
        for name in plan.requires:
            if not _runs(rooms, name):
                bring_up(rooms, StartRequest(module=name), progress, wait=True, now=now)
                fresh.append(name)
        return _launch_or_join(rooms, plan, progress, wait=wait, now=now)
    except LasError:
        for name in reversed(fresh):
            rooms.manager.stop(name)
            progress.note(f"Stopped {name} again, which had been started for {plan.spec.name}.")
        raise


def _with_everything_fetched(rooms: Rooms, request: StartRequest, progress: Progress) -> StartPlan:
    plan = _plan(rooms, request)
    said = f"Stopped fetching {plan.spec.model}; nothing half-fetched is left where a model is looked for."
    with interruptible(progress, said, "the same command begins again"):
        fetched = rooms.fetch(plan, lambda what, done, total: _tell_bytes(progress, what, done, total))
    # Only now is the model's own header there to be read: context length, size, whether it fits.
    return rooms.plan(request) if fetched else plan


def _tell_bytes(progress: Progress, what: str, done: int, total: int | None) -> None:
    of = f" of {format_size(total)}" if total else ""
    progress.update(f"fetching {what}: {format_size(done)}{of}", done / total if total else None)


def _runs(rooms: Rooms, name: str) -> bool:
    try:
        return rooms.manager.snapshot(name).state is ProcessState.RUNNING
    except NoSuchInstance:
        return False


def _plan(rooms: Rooms, request: StartRequest) -> StartPlan:
    try:
        return rooms.plan(request)
    except PortTaken:
        # It may be taken by this very instance, started by somebody else while we looked: the second look knows it.
        return rooms.plan(request)


def _launch_or_join(rooms: Rooms, plan: StartPlan, progress: Progress, *, wait: bool, now: float) -> Outcome:
    """
    Launch the plan; again when the world changed between the look and the launch, and the plan with it.

    Two clients that look at the same moment both find no instance, and the slower one decides for another port: a
    plan made now joins what the faster one started. A port that somebody took meanwhile is said and another taken;
    of clients that start at the same moment each round has one that got what it planned.
    """
    for _ in range(_ROUNDS):
        try:
            return _launch(rooms, plan, progress, wait=wait, now=now)
        except (InstanceConflict, PortTaken, LaunchFailed) as problem:
            again = _another_plan(rooms, plan)
            if again is None:
                raise
            if not isinstance(problem, InstanceConflict):
                who = f" ({problem.cause})" if isinstance(problem, PortTaken) and problem.cause else ""
                progress.note(f"{_ports_of(plan)} was taken meanwhile{who}; trying {_ports_of(again)}.")
            plan = again
    return _launch(rooms, plan, progress, wait=wait, now=now)


def _another_plan(rooms: Rooms, plan: StartPlan) -> StartPlan | None:
    """The plan as it would be made now, if it has other ports than ``plan``."""
    try:
        again = rooms.plan(plan.request)
    except LasError:
        return None
    return None if again.spec.ports == plan.spec.ports else again


def _ports_of(plan: StartPlan) -> str:
    return "port " + ", ".join(str(port.host) for port in plan.spec.ports)


def _launch(rooms: Rooms, plan: StartPlan, progress: Progress, *, wait: bool, now: float) -> Outcome:
    spec = owned(plan.spec)
    given = secrets_for(rooms, spec, plan.request)
    make_data_folder(spec)
    progress.update(f"{spec.name}: launching")
    # The supervisor is not our child any more once it was asked: an interrupt ends the asking only.
    with going_on_without_us(progress, spec.name):
        tell = telling(progress, "starting")
        started = rooms.manager.start(spec, given, tell)
        if started.snapshot.state is ProcessState.STOPPING:
            # Somebody ended it a moment ago. Whoever asks for a start wants a server, not the end of one.
            rooms.manager.stop(spec.name, on_change=telling(progress, "ending before it starts again"))
            started = rooms.manager.start(spec, given, tell)
        snapshot = started.snapshot
        if started.reused:
            progress.note(reusing(snapshot, now))
        if wait and (snapshot.state is not ProcessState.RUNNING or snapshot.ready_at is None):
            snapshot = wait_ready(rooms.manager, spec.name, progress)
    return Outcome(snapshot, started.reused)


def make_data_folder(spec: LaunchSpec) -> None:
    """
    Make the instance's own folder where the plan gives it one, closed to others.

    Raises ``LaunchFailed`` when it cannot be made.
    """
    for place in (spec.cwd, *(mount.source for mount in spec.mounts)):
        path = Path(place) if place else None
        if path is not None and (path.parent.name, path.name) == ("data", spec.name):
            try:
                kept_data.make_folder(StatePaths(str(path.parents[1]), ""), spec.name)
            except OSError as error:
                raise LaunchFailed(
                    f"{spec.name} cannot keep its data.",
                    cause=f"{path} cannot be made: {error.strerror}",
                    remedy=f"make room for it, or mend the permissions of {word(path.parent)}",
                ) from error


def owned(spec: LaunchSpec) -> LaunchSpec:
    """``spec`` with this process as its owner where its lifetime is this kernel's."""
    if spec.lifetime is Lifetime.KERNEL and spec.owner is None:
        return spec._replace(owner=this_process())
    return spec


def secrets_for(rooms: Rooms, spec: LaunchSpec, request: StartRequest) -> dict[str, str]:
    """
    A value for every secret the spec names: of a variable the one that was given, else the one this name had before,
    else a fresh one.

    A database keeps its password in its data, and a client its key in its configuration: neither may change because
    the server was stopped over night. ``remove`` forgets them, but not while data is kept that they open.
    """
    try:
        before = rooms.manager.secrets(spec.name)
    except NoSuchInstance:
        before = {}
    given = secret_variables(request.env, request.taken)
    generated = [secret.name for secret in spec.secrets if secret.name not in given]
    return {name: before.get(name) or secrets.token_urlsafe(_SECRET_BYTES) for name in generated} | given


def reusing(snapshot: Snapshot, now: float) -> str:
    """The sentence for a start that found its server running."""
    port = f" on port {snapshot.ports[0].host}" if snapshot.ports else ""
    who = f" (pid {snapshot.pid})" if snapshot.pid else ""
    since = f", started {ago(now - snapshot.started_at)}" if snapshot.started_at else ""
    return f"Reusing {snapshot.name}{port}{who}{since}."
