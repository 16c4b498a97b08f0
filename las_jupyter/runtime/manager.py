"""
The clients' side: any number of these, in kernels and terminals, see and command the same instances.

A manager owns nothing. It reads what supervisors wrote, asks their locks whether they live, and talks to their sockets.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from las_jupyter.core.errors import (
    InstanceConflict,
    LasError,
    LaunchFailed,
    NoSuchInstance,
    StartTimeout,
    StopFailed,
    SupervisorUnreachable,
)  # fmt: skip
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import EventRecord, Snapshot, Usage
from las_jupyter.core.states import ProcessState
from las_jupyter.core.wire import from_data, from_json, to_json
from las_jupyter.logs.reader import LogReader
from las_jupyter.runtime.client import Subscription, ask
from las_jupyter.runtime.explain import explain
from las_jupyter.runtime.spawn import spawn
from las_jupyter.state.files import read_bytes, read_value, write_atomic, write_value
from las_jupyter.state.journal import replay
from las_jupyter.state.lock import Lock, is_held
from las_jupyter.state.paths import StatePaths, make_private

OnChange = Callable[[Snapshot], None]
_START_LOCK_WAIT = 15.0


class Started(NamedTuple):
    """The instance after a start; ``reused`` when it ran already with the same spec."""

    snapshot: Snapshot
    reused: bool


class Manager:
    """All instances below ``paths``."""

    def __init__(self, paths: StatePaths) -> None:
        self.paths = paths

    # ---- starting

    def start(self, spec: LaunchSpec, secrets: dict[str, str]) -> Started:
        """
        Launch ``spec`` under a supervisor of its own; returns after the module's first instruction.

        Raises ``InstanceConflict`` when the name runs with another spec, ``LaunchFailed`` when it cannot be started.
        """
        make_private(self.paths.state_dir)
        folder = self.paths.instance(spec.name)
        make_private(self.paths.instances)
        make_private(folder)
        lock = Lock(self.paths.start_lock(spec.name))
        if not lock.acquire(wait=_START_LOCK_WAIT):
            raise InstanceConflict(f"Another start of {spec.name} is under way.", remedy="%las status")
        try:
            running = self._alive(spec.name)
            if running is not None:
                return self._reuse(running, spec)
            write_atomic(self.paths.secrets(spec.name), json.dumps(secrets).encode())
            write_value(self.paths.spec(spec.name), spec._replace(log_dir=self.paths.log_dir), sync=True)
            said = spawn(self.paths, spec.name, spec.mode, "start")
        finally:
            lock.release()
        if not said.get("ok"):
            if said.get("busy"):
                return Started(self.snapshot(spec.name), reused=True)
            raise LaunchFailed(str(said.get("message")), cause=said.get("cause"), remedy=said.get("remedy"))
        return Started(self.snapshot(spec.name), reused=False)

    def _alive(self, name: str) -> Snapshot | None:
        try:
            snapshot = self.snapshot(name)
        except NoSuchInstance:
            return None
        return snapshot if snapshot.state.alive else None

    def _reuse(self, running: Snapshot, spec: LaunchSpec) -> Started:
        if running.fingerprint == spec.fingerprint:
            return Started(running, reused=True)
        before = self.spec(spec.name)
        ignored = {"fingerprint", "decisions", "owner", "log_dir", "format"}
        differing = [
            field for field in spec._fields if field not in ignored and getattr(spec, field) != getattr(before, field)
        ]
        raise InstanceConflict(
            f"{spec.name} runs already, with another spec.",
            cause=f"these differ: {', '.join(differing) or 'the model or the settings'}",
            remedy=f"%las stop {spec.name}, or give the new one another --name",
        )

    # ---- looking

    def names(self) -> list[str]:
        """The names of all instances known here."""
        try:
            return sorted(
                entry.name for entry in os.scandir(self.paths.instances) if os.path.exists(self.paths.state(entry.name))
            )
        except FileNotFoundError:
            return []

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All instances; one whose supervisor died is taken over by a new one first."""
        return tuple(self.snapshot(name) for name in self.names())

    def snapshot(self, name: str) -> Snapshot:
        """One instance now. Raises ``NoSuchInstance``."""
        found = read_value(self.paths.state(name), Snapshot)
        if found is None:
            raise NoSuchInstance(f"There is no instance {name!r}.", remedy="%las status")
        if found.state.alive and not is_held(self.paths.lock(name)):
            found = read_value(self.paths.state(name), Snapshot) or found
            if found.state.alive:
                return self._restore(name, found)
        return found

    def _restore(self, name: str, last: Snapshot) -> Snapshot:
        try:
            spawn(self.paths, name, last.mode, "adopt")
        except LasError:
            return last._replace(supervised=False, reason="its supervisor died and could not be replaced")
        return read_value(self.paths.state(name), Snapshot) or last

    def spec(self, name: str) -> LaunchSpec:
        """What was decided for ``name``."""
        data = read_bytes(self.paths.spec(name))
        if data is None:
            raise NoSuchInstance(f"There is no instance {name!r}.", remedy="%las status")
        return from_json(LaunchSpec, data)

    def secrets(self, name: str) -> dict[str, str]:
        """The generated secrets of ``name``."""
        data = read_bytes(self.paths.secrets(name))
        return {} if data is None else {str(k): str(v) for k, v in json.loads(data).items()}

    def events(self, name: str) -> tuple[EventRecord, ...]:
        """Everything that happened to it, oldest first."""
        return replay(self.paths.events(name))

    def usage(self, name: str) -> Usage | None:
        """What it uses now, or None when it does not run."""
        try:
            data = ask(self.paths.socket(name), "usage").get("usage")
        except LasError:
            return None
        return from_data(Usage, data) if data else None

    def log(self, name: str, generation: int | None = None) -> LogReader:
        """The log of the last start, or of start number ``generation``."""
        path = self.snapshot(name).log_path
        if generation is not None:
            folder = self.paths.logs(name)
            found = [entry for entry in sorted(os.listdir(folder)) if entry.startswith(f"{generation:04d}-")]
            logs = [entry for entry in found if entry.endswith(".log")]
            if not logs:
                raise NoSuchInstance(f"{name} has no log of start {generation}.", remedy=f"%las events {name}")
            path = os.path.join(folder, logs[0])
        return LogReader(path, tuple(self.secrets(name).values()))

    # ---- waiting and commanding

    def wait_ready(self, name: str, *, timeout: float | None = None, on_change: OnChange | None = None) -> Snapshot:
        """
        The snapshot once it is ready.

        Raises ``LaunchFailed`` with the reason, its cure and the last lines of the log when it ended first, and
        ``StartTimeout`` after ``timeout`` seconds; it is left running then.
        """
        last: Snapshot | None = None
        for snapshot in self._changes(name, timeout):
            last = snapshot
            if on_change:
                on_change(snapshot)
            if snapshot.state is ProcessState.RUNNING:
                return snapshot
            if not snapshot.state.alive:
                raise explain(self.spec(name), snapshot, self.log(name))
        last = self.snapshot(name) if last is None else last
        raise StartTimeout(
            f"{name} is not ready after {timeout:g} s; it goes on starting.",
            cause=last.health.phase or last.health.reason,
            remedy=f"%las status {name}, or %las stop {name}",
        )

    def stop(self, name: str, *, grace: float | None = None, on_change: OnChange | None = None) -> Snapshot:
        """Stop it and return once nothing of it is left. Raises ``StopFailed`` naming what cannot be ended."""
        snapshot = self.snapshot(name)
        if not snapshot.state.alive:
            return snapshot
        try:
            ask(self.paths.socket(name), "stop", grace=grace)
        except SupervisorUnreachable:
            snapshot = self.snapshot(name)
            if snapshot.state.alive:
                raise
            return snapshot
        for snapshot in self._changes(name, None):
            if on_change:
                on_change(snapshot)
            if not snapshot.state.alive:
                return snapshot
            if snapshot.leftovers:
                raise StopFailed(f"{name} cannot be ended.", cause=snapshot.reason)
        return self.snapshot(name)

    def restart(self, name: str) -> Snapshot:
        """Stop it and start it again as it was; returns when it is launched."""
        snapshot = self.snapshot(name)
        if not snapshot.state.alive:
            spec = self.spec(name)
            return self.start(spec, self.secrets(name)).snapshot
        before = snapshot.generation
        ask(self.paths.socket(name), "restart")
        for snapshot in self._changes(name, None):
            if snapshot.generation > before or not snapshot.state.alive:
                return snapshot
        return self.snapshot(name)

    def remove(self, name: str) -> None:
        """Forget an instance that ended: its folder and its logs. Raises ``InstanceConflict`` while it runs."""
        if self.snapshot(name).state.alive:
            raise InstanceConflict(f"{name} still runs.", remedy=f"%las stop {name}")
        shutil.rmtree(self.paths.instance(name), ignore_errors=True)
        shutil.rmtree(self.paths.logs(name), ignore_errors=True)

    def _changes(self, name: str, timeout: float | None) -> Iterator[Snapshot]:
        """The snapshot now and after each change; ends with the supervisor, with a last look, or at the timeout."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            subscription = Subscription(self.paths.socket(name))
        except OSError:
            yield self.snapshot(name)
            return
        try:
            while not subscription.ended:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return
                if select.select([subscription], [], [], left)[0]:
                    for change in subscription.changes():
                        if change.get("snapshot"):
                            yield from_data(Snapshot, change["snapshot"])
        finally:
            subscription.close()
        yield self.snapshot(name)

    def watch(self, names: list[str] | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[Snapshot]:
        """Changes of all instances (or of ``names``) as they happen, new instances included, until ``stop``."""
        subscriptions: dict[str, Subscription] = {}
        try:
            while not stop():
                self._subscribe(subscriptions, names)
                ready, _, _ = select.select(list(subscriptions.values()), [], [], 0.5)
                for name in [name for name, each in subscriptions.items() if each in ready]:
                    for change in subscriptions[name].changes():
                        if change.get("snapshot"):
                            yield from_data(Snapshot, change["snapshot"])
                    if subscriptions[name].ended:
                        subscriptions.pop(name).close()
        finally:
            for subscription in subscriptions.values():
                subscription.close()

    def _subscribe(self, subscriptions: dict[str, Subscription], names: list[str] | None) -> None:
        for name in self.names() if names is None else names:
            if name not in subscriptions and is_held(self.paths.lock(name)):
                try:
                    subscriptions[name] = Subscription(self.paths.socket(name))
                except OSError:
                    continue


def write_secrets(paths: StatePaths, name: str, secrets: dict[str, str]) -> None:
    """Keep ``secrets`` for the supervisor and for clients of the same user."""
    write_atomic(paths.secrets(name), json.dumps(secrets).encode())


__all__ = ["Manager", "Started", "to_json"]
