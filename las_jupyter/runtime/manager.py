"""
The clients' side: any number of these, in kernels and terminals, see and command the same instances.

A manager owns nothing. It reads what supervisors wrote, asks their locks whether they live, and talks to their sockets.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import las_jupyter
from las_jupyter.core.advice import word
from las_jupyter.core.errors import (
    InstanceConflict,
    LasError,
    LaunchFailed,
    NoSuchInstance,
    PortTaken,
    StartTimeout,
    StopFailed,
    SupervisorUnreachable,
)  # fmt: skip
from las_jupyter.core.launch import LaunchSpec, Mount, Owner
from las_jupyter.core.secrecy import FROM_ENV, kept_apart, parts_to_hide, secret_variables
from las_jupyter.core.snapshot import EventRecord, Snapshot, Usage
from las_jupyter.core.states import Lifetime, Mode, ProcessState
from las_jupyter.core.wire import from_data
from las_jupyter.limits.sockets import holder
from las_jupyter.limits.tree import boot_id, members, read_process
from las_jupyter.logs.forgetting import forget_logs, not_of_a_log
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.writer import logs_of
from las_jupyter.resources import vram
from las_jupyter.resources.measured import Measured, record_measurement
from las_jupyter.runtime import kept_data
from las_jupyter.runtime.answerer import check_answerer
from las_jupyter.runtime.claims import PortClaims
from las_jupyter.runtime.client import Subscription, ask
from las_jupyter.runtime.explain import explain
from las_jupyter.runtime.leases import check_gpus_are_free, giving_away
from las_jupyter.runtime.spawn import spawn
from las_jupyter.runtime.watch import Watch
from las_jupyter.state import sockets
from las_jupyter.state.files import read_value, write_atomic, write_value
from las_jupyter.state.journal import replay
from las_jupyter.state.lock import Lock, is_held
from las_jupyter.state.own_files import forget_files, is_instance_file
from las_jupyter.state.paths import StatePaths, check_unmoved, make_private

OnChange = Callable[[Snapshot], None]
_START_LOCK_WAIT = 15.0
_FIRST_WORD_WITHIN = 2.0
_LOOK_AFTER_IT_EVERY = 2.0
_END_WITHIN = 10.0
_LISTEN_AGAIN_AFTER = 0.05


class Started(NamedTuple):
    """The instance after a start; ``reused`` when it ran already with the same spec."""

    snapshot: Snapshot
    reused: bool


class Manager:
    """All instances below ``paths``."""

    def __init__(self, paths: StatePaths) -> None:
        self.paths = paths
        self.claims = PortClaims(paths)

    # ---- starting

    def start(self, spec: LaunchSpec, secrets: dict[str, str], on_change: OnChange | None = None) -> Started:
        """
        Launch ``spec`` under a supervisor of its own; returns after the module's first instruction.

        ``on_change`` is told how it stands as long as that takes: an image may have to be fetched.

        Raises ``InstanceConflict`` when the name runs with another spec, ``PlanRefused`` when a GPU of it was given to
        another instance meanwhile, ``LaunchFailed`` when it cannot be started.
        """
        self._make_folder(spec.name)
        self._check_log_folder(spec.name)
        fetching = self._fetching(spec.name)
        if fetching is not None:
            return self._reuse(fetching, spec, secrets)
        lock = self._locked_for_start(spec.name)
        try:
            running = self._alive(spec.name)
            if running is not None:
                return self._reuse(running, spec, secrets)
            self.claims.claim(spec)
            _check_ports(spec)
            with giving_away(self.paths, spec) as let_go:
                if spec.gpus.ids:
                    check_gpus_are_free(spec, self._specs_of_running())
                self._write_spec(spec, secrets)
                told = self._telling(spec.name, let_go, on_change)
                said = spawn(self.paths, spec.name, spec.mode, "start", told)
            if said.get("busy"):
                return self._reuse(self._of_another_start(spec.name), spec, secrets)
            self.claims.release(spec.name)
        except LasError:
            self.claims.release(spec.name)
            raise
        finally:
            # After an interrupt the claim stays for a moment: the supervisor may be on its way.
            lock.release()
        if not said.get("ok"):
            raise LaunchFailed(str(said.get("message")), cause=said.get("cause"), remedy=said.get("remedy"))
        return Started(self.snapshot(spec.name), reused=False)

    def _make_folder(self, name: str) -> None:
        folder = self.paths.instance(name)
        for each in (self.paths.state_dir, self.paths.instances, folder):
            make_private(each)

    def _check_log_folder(self, name: str) -> None:
        """Logs are trimmed and deleted: a folder that somebody uses for something else is none for them."""
        folder = self.paths.logs(name)
        foreign = not_of_a_log(folder)
        if foreign:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise LaunchFailed(
                f"{name} was not started: the folder for its logs holds what is no log.",
                cause=f"there is {foreign[0]!r}{more} in {folder}",
                remedy="give it another --name, set runtime.log_dir to a folder of its own, or move that away",
            )

    def _locked_for_start(self, name: str) -> Lock:
        """The start lock of ``name``, taken. Whoever forgets the instance meanwhile takes the folder away with it."""
        lock, deadline = Lock(self.paths.start_lock(name)), time.monotonic() + _START_LOCK_WAIT
        while True:
            try:
                taken = lock.acquire(wait=deadline - time.monotonic())
            except FileNotFoundError:
                self._make_folder(name)
                continue
            except OSError as error:
                raise LaunchFailed(
                    f"{name} was not started: it cannot be locked.",
                    cause=f"{os.strerror(error.errno or 0)} ({lock.path})",
                    remedy=f"df -h {word(self.paths.state_dir)}",
                ) from error
            if not taken:
                raise InstanceConflict(f"Another start of {name} is under way.", remedy="%las status")
            return lock

    def _specs_of_running(self) -> Iterator[LaunchSpec]:
        for snapshot in self.snapshots():
            if snapshot.state.alive:
                yield self.spec(snapshot.name)

    def _fetching(self, name: str) -> Snapshot | None:
        """The instance while the start under way fetches its image, which may take an hour: too long for a lock."""
        found = read_value(self.paths.state(name), Snapshot)
        if found is None or found.fetching is None or not found.state.alive:
            return None
        return found if is_held(self.paths.lock(name)) else None

    def _telling(self, name: str, let_go: Callable[[], None], on_change: OnChange | None) -> Callable[[], None]:
        def tell() -> None:
            found = read_value(self.paths.state(name), Snapshot)
            if found is not None and found.state.alive and found.fetching is not None:
                let_go()  # its state says by now what it was given
                if on_change is not None:
                    on_change(found)

        return tell

    def _of_another_start(self, name: str) -> Snapshot:
        """A supervisor was there first: one of a start whose client was interrupted, or one that is about to end."""
        deadline = time.monotonic() + _FIRST_WORD_WITHIN
        while time.monotonic() < deadline:
            running = self._alive(name)
            if running is not None:
                return running
            time.sleep(0.02)
        raise SupervisorUnreachable(
            f"The last supervisor of {name} has not ended yet.", remedy=f"%las status {word(name)}"
        )

    def _write_spec(self, spec: LaunchSpec, secrets: dict[str, str]) -> None:
        try:
            write_atomic(self.paths.secrets(spec.name), json.dumps(secrets).encode())
            kept = spec._replace(log_dir=self.paths.log_dir, mounts=_led_to(spec))
            write_value(self.paths.spec(spec.name), kept, sync=True)
        except OSError as error:
            raise LaunchFailed(
                f"{spec.name} was not started: its launch spec cannot be written.",
                cause=f"{os.strerror(error.errno or 0)} ({self.paths.instance(spec.name)})",
                remedy=f"df -h {word(self.paths.state_dir)}",
            ) from error

    def _alive(self, name: str) -> Snapshot | None:
        """The instance if it lives, by its supervisor's own word where that answers."""
        try:
            snapshot = self.snapshot(name)
        except NoSuchInstance:
            return None
        if snapshot.state.alive:
            snapshot = self._asked(name) or snapshot
        return snapshot if snapshot.state.alive else None

    def _asked(self, name: str) -> Snapshot | None:
        try:
            return from_data(Snapshot, ask(self.paths.socket(name), "snapshot")["snapshot"])
        except (LasError, ValueError, KeyError):
            return None

    def _reuse(self, running: Snapshot, spec: LaunchSpec, secrets: dict[str, str]) -> Started:
        if running.fingerprint == spec.fingerprint and not self._other_variables(spec.name, secrets):
            return Started(running, reused=True)
        before = self.spec(spec.name)
        ignored = {
            "fingerprint",
            "decisions",
            "owner",
            "log_dir",
            "format",
            "memory_promised",
            "memory_key",
            "share_gpu",
        }
        differing = [
            field for field in spec._fields if field not in ignored and getattr(spec, field) != getattr(before, field)
        ]
        other = "the model or the settings"
        raise InstanceConflict(
            f"{spec.name} runs already, with another spec.",
            cause=f"these differ: {', '.join(differing) or self._other_variables(spec.name, secrets) or other}",
            remedy=f"%las stop {word(spec.name)}, or give the new one another --name",
        )

    def _other_variables(self, name: str, secrets: dict[str, str]) -> str:
        """The secret variables that have another value in ``secrets``: those are no part of a spec's fingerprint."""
        mine = self.secrets(name)
        return ", ".join(
            each.removeprefix(FROM_ENV)
            for each, value in secrets.items()
            if each.startswith(FROM_ENV) and mine.get(each) != value
        )

    # ---- looking

    def names(self) -> list[str]:
        """The names of all instances known here."""
        try:
            entries = [entry.name for entry in os.scandir(self.paths.instances)]
        except FileNotFoundError:
            return []
        # Without either file it was never started: somebody died while asking for it.
        return sorted(name for name in entries if self._known(name))

    def _known(self, name: str) -> bool:
        try:
            return os.path.exists(self.paths.state(name)) or os.path.exists(self.paths.events(name))
        except LasError:
            return False  # not a folder of ours

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All instances; one whose supervisor died is taken over by a new one first."""
        found = []
        for name in self.names():
            try:
                found.append(self.snapshot(name))
            except (NoSuchInstance, OSError) as error:
                if self._known(name):  # else it was removed meanwhile
                    found.append(_unreadable(name, error))
        return tuple(found)

    def snapshot(self, name: str) -> Snapshot:
        """One instance now. Raises ``NoSuchInstance``."""
        if not self._known(name):
            raise NoSuchInstance(f"There is no instance {name!r}.", remedy="%las status")
        found = read_value(self.paths.state(name), Snapshot)
        if found is not None and not found.state.alive:
            return found
        if is_held(self.paths.lock(name)):
            found = found or self._asked(name) or self._once_written(name)
            return _with_version(found)
        # Its supervisor may have ended between the two looks.
        found = read_value(self.paths.state(name), Snapshot)
        if found is not None and not found.state.alive:
            return found
        return self._restore(name, found)

    def _once_written(self, name: str) -> Snapshot:
        """A supervisor holds the lock and is about to write its first state."""
        deadline = time.monotonic() + _FIRST_WORD_WITHIN
        while time.monotonic() < deadline:
            found = read_value(self.paths.state(name), Snapshot) or self._asked(name)
            if found is not None:
                return found
            time.sleep(0.02)
        raise SupervisorUnreachable(f"The supervisor of {name} does not answer.", remedy="%las doctor")

    def _restore(self, name: str, last: Snapshot | None) -> Snapshot:
        """Give an instance a new supervisor after its last one died."""
        try:
            mode = last.mode if last else self.spec(name).mode
            said = spawn(self.paths, name, mode, "adopt")
            why = None if said.get("ok") or said.get("busy") else str(said.get("cause") or said.get("message"))
        except LasError as error:
            why = error.cause or error.message
        found = read_value(self.paths.state(name), Snapshot) or last
        if found is None:
            raise NoSuchInstance(
                f"What is known of {name!r} cannot be read.", cause=why, remedy=f"%las rm {word(name)}"
            )
        if why is None or not found.state.alive:
            return found
        return found._replace(supervised=False, reason=f"its supervisor died and could not be replaced: {why}")

    def spec(self, name: str) -> LaunchSpec:
        """What was decided for ``name``."""
        found = read_value(self.paths.spec(name), LaunchSpec)
        if found is None:
            raise NoSuchInstance(f"There is no launch spec of {name!r}.", remedy="%las status")
        return found

    def secrets(self, name: str) -> dict[str, str]:
        """The secrets of ``name``, generated and of variables, or of the data that a forgotten instance of it left."""
        return kept_data.secrets(self.paths, name)

    def check_answerer(self, name: str, port: int, client: int = 0) -> None:
        """Raise ``PortTaken`` when not ``name`` answers on ``port``, or on the connection from our port ``client``."""
        check_answerer(self.snapshot(name), port, client)

    def events(self, name: str) -> tuple[EventRecord, ...]:
        """Everything that happened to it, oldest first."""
        return replay(self.paths.events(name))

    def usage(self, name: str) -> Usage | None:
        """What it uses now, or None when it does not run."""
        try:
            answer = ask(self.paths.socket(name), "usage")
        except LasError:
            return None
        self._remember_memory(name)
        data = answer.get("usage")
        return from_data(Usage, data)._replace(vram=self._vram(name)) if data else None

    def _vram(self, name: str) -> int | None:
        """GPU memory of the tree, where a driver tells it; the supervisor itself carries no library for that."""
        held = vram.holdings()
        if not held:
            return None
        snapshot = self.snapshot(name)
        if snapshot.pid is None:
            return None
        above = snapshot.supervisor_pid if snapshot.mode is Mode.NATIVE else None
        return vram.vram_of({process.pid for process in members(snapshot.pid, above)}, held)

    def _remember_memory(self, name: str) -> None:
        """Keep the most memory it used, for the plans to come; what cannot be read or written is left."""
        found = read_value(self.paths.state(name), Snapshot)
        if found is None or not found.memory_peak:
            return
        try:
            spec = self.spec(name)
        except LasError:
            return
        if spec.memory_key and spec.fingerprint == found.fingerprint:
            record_measurement(self.paths.state_dir, spec.memory_key, Measured(found.memory_peak, time.time()))

    def log(self, name: str, generation: int | None = None) -> LogReader:
        """
        The log of the last start, or of start number ``generation``.

        Raises ``UnsafeFolder`` when the folder of its logs is a link or somebody else's.
        """
        path = self.snapshot(name).log_path
        if generation is not None:
            folder = self.paths.logs(name)
            logs = [path for path in logs_of(folder) if os.path.basename(path).startswith(f"{generation:04d}-")]
            if not logs:
                raise NoSuchInstance(f"{name} has no log of start {generation}.", remedy=f"%las events {word(name)}")
            path = logs[-1]  # the same number was given before when the state was lost in between
        if path:
            check_unmoved(os.path.dirname(path))
        return LogReader(path, tuple(parts_to_hide(self.secrets(name).values())))

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
            remedy=f"%las status {word(name)}, or %las stop {word(name)}",
        )

    def stop(self, name: str, *, grace: float | None = None, on_change: OnChange | None = None) -> Snapshot:
        """
        Stop it and return once nothing of it is left.

        ``grace`` (seconds) takes the place of the spec's, also for a stop that is under way. Raises ``StopFailed``
        naming what cannot be ended, ``SupervisorUnreachable`` when its supervisor does not answer within 2 s.
        """
        snapshot = self.snapshot(name)
        if not snapshot.state.alive:
            return snapshot
        self._command(snapshot, "stop", grace=grace)
        self._remember_memory(name)
        for snapshot in self._changes(name, None):
            if on_change:
                on_change(snapshot)
            if not snapshot.state.alive:
                return snapshot
            if snapshot.leftovers:
                raise StopFailed(f"{name} cannot be ended.", cause=snapshot.reason, remedy=f"%las status {word(name)}")
        return self.snapshot(name)

    def restart(self, name: str) -> Snapshot:
        """Stop it and start it again as it was; returns when it is launched."""
        self._remember_memory(name)
        snapshot = self.snapshot(name)
        if not snapshot.state.alive:
            spec = self.spec(name)
            # One that an older version wrote may hold values that no longer belong there.
            apart = secret_variables(spec.env)
            return self.start(_owned_by_us(kept_apart(spec, apart)), {**self.secrets(name), **apart}).snapshot
        before = snapshot.generation
        self._command(snapshot, "restart")
        for snapshot in self._changes(name, None):
            launched = snapshot.generation > before and snapshot.pid is not None
            if launched or (snapshot.container_id and snapshot.generation > before) or not snapshot.state.alive:
                return snapshot
        return self.snapshot(name)

    def _command(self, before: Snapshot, do: str, **words: Any) -> None:
        """Ask the supervisor of ``before``, or its successor when that one died. Nothing when it ended meanwhile."""
        deadline = time.monotonic() + _FIRST_WORD_WITHIN
        while True:
            try:
                ask(self.paths.socket(before.name), do, **words)
                return
            except SupervisorUnreachable as error:
                now = self.snapshot(before.name)
                if not now.state.alive:
                    return
                if not now.supervised:
                    raise _unsupervised(now) from error
                if time.monotonic() >= deadline:
                    raise self._unreachable(now) from error
            time.sleep(_LISTEN_AGAIN_AFTER)  # it died a moment ago, or its successor does not listen yet

    def _unreachable(self, snapshot: Snapshot) -> SupervisorUnreachable:
        process = read_process(snapshot.supervisor_pid or 0)
        ours = process is not None and process.ticks == snapshot.supervisor_ticks
        cause, remedy = "it is busy or hangs", "%las doctor"
        if process is not None and ours and process.state in "Tt":
            cause = f"its process {process.pid} is stopped"
            remedy = f"kill -CONT {process.pid:d}"
        return SupervisorUnreachable(
            f"The supervisor of {snapshot.name} does not answer; the module itself is not affected.",
            cause=cause,
            remedy=remedy,
        )

    def remove(self, name: str, *, data: bool = False) -> tuple[str, ...]:
        """
        Forget an instance that ended: its folder and its logs. Its data stays, with its secrets, unless ``data``.

        Returns the paths of what stays because it is not ours: a person may keep files anywhere.

        Raises ``InstanceConflict`` while it runs, ``NoSuchInstance`` when there is nothing of that name, and
        ``LasError`` where its data may not be deleted: then nothing is.
        """
        stays: tuple[str, ...] = ()
        if data:
            kept_data.check_ours(self.paths, name)
        if self._known(name) or not (data and kept_data.exists(self.paths, name)):
            stays = self._forget(name)
        if data:
            kept_data.delete(self.paths, name)
        return stays

    def data_folder(self, name: str) -> str | None:
        """Where the data of ``name`` is; None where it has none."""
        return self.paths.data(name) if kept_data.exists(self.paths, name) else None

    def check_data(self, name: str) -> None:
        """Raise ``LasError`` with the reason where ``remove`` would not delete the data of ``name``."""
        kept_data.check_ours(self.paths, name)

    def _forget(self, name: str) -> tuple[str, ...]:
        starting, ending = Lock(self.paths.start_lock(name)), Lock(self.paths.lock(name))
        try:
            self._check_ended(name)
            if not starting.acquire(wait=_END_WITHIN):
                raise InstanceConflict(f"{name} is just being started.", remedy=f"%las status {word(name)}")
            self._check_ended(name)
            self._remember_memory(name)
            # Its supervisor tells the end before it is over; what it writes last must not bring the folder back.
            if not ending.acquire(wait=_END_WITHIN):
                raise InstanceConflict(f"{name} is still ending.", remedy=f"%las rm {word(name)} once more in a moment")
            at_risk = self.snapshot(name).key_at_risk
            kept_data.keep_secrets(self.paths, name, but=("api_key",) if at_risk else ())
            return self._delete(name)
        except FileNotFoundError:
            raise NoSuchInstance(f"There is no instance {name!r} any more.", remedy="%las status") from None
        except OSError as error:
            raise LasError(
                f"{name} is not forgotten.",
                cause=f"{os.strerror(error.errno or 0)} ({self.paths.instance(name)})",
                remedy=f"ls -ld {word(self.paths.instance(name))}",
            ) from error
        finally:
            ending.release()
            starting.release()

    def _check_ended(self, name: str) -> None:
        if self.snapshot(name).state.alive:
            raise InstanceConflict(f"{name} still runs.", remedy=f"%las stop {word(name)}")

    def _delete(self, name: str) -> tuple[str, ...]:
        """
        In one step out of the way, then piece by piece: a new start of the name must not lose a file to us.

        What is not ours goes back to where it was.
        """
        gone, folder = os.path.join(self.paths.instances, f".{name}.gone"), self.paths.instance(name)
        stays = forget_files(gone, is_instance_file) + forget_logs(self._log_folder(name))
        sockets.unlink(self.paths.socket(name))  # a killed supervisor left it, perhaps in another folder
        if os.path.lexists(gone):
            gone += f".{time.time_ns()}"
        os.rename(folder, gone)
        foreign = forget_files(gone, is_instance_file)
        if foreign and not os.path.lexists(folder):
            os.rename(gone, folder)
            foreign = tuple(os.path.join(folder, os.path.basename(path)) for path in foreign)
        return stays + foreign

    def _log_folder(self, name: str) -> str:
        """Where its logs are: the setting may have changed since its last start."""
        spec = read_value(self.paths.spec(name), LaunchSpec)
        return os.path.join(spec.log_dir, name) if spec is not None and spec.log_dir else self.paths.logs(name)

    def _changes(self, name: str, timeout: float | None) -> Iterator[Snapshot]:
        """
        The snapshot now and after each change; ends with the instance, with a last look, or at the timeout.

        When the supervisor dies meanwhile, its successor is listened to. Raises ``SupervisorUnreachable`` when it has
        none, or hangs.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            yield from self._told(name, deadline)
            if time.monotonic() >= deadline:
                return
            last = self.snapshot(name)
            yield last
            if not last.state.alive:
                return
            if not last.supervised:
                raise _unsupervised(last)
            time.sleep(_LISTEN_AGAIN_AFTER)

    def _told(self, name: str, deadline: float) -> Iterator[Snapshot]:
        """What one supervisor says, until it ends or the deadline comes."""
        try:
            subscription = Subscription(self.paths.socket(name))
        except OSError:
            return
        last: Snapshot | None = None
        try:
            while not subscription.ended:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                if select.select([subscription], [], [], min(left, _LOOK_AFTER_IT_EVERY))[0]:
                    for last in subscription.snapshots():
                        yield last
                elif last is None or _is_stopped(last):
                    raise self._unreachable(last or self.snapshot(name))
        finally:
            subscription.close()

    def watch(self, names: list[str] | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[Snapshot]:
        """
        Changes of all instances (or of ``names``) as they happen, new instances included, until ``stop`` says so.

        ``stop`` is asked at least every half second. An instance whose supervisor dies gets a new one.
        """
        return Watch(self.paths, self.snapshot, self.names if names is None else lambda: names).changes(stop)


def _unreadable(name: str, error: Exception) -> Snapshot:
    """The row of an instance of which nothing can be read: the others are shown beside it."""
    cause = (error.cause if isinstance(error, LasError) else getattr(error, "strerror", None)) or str(error)
    reason = f"what is known of it cannot be read: {cause}"
    return Snapshot(name, "", Mode.NATIVE, "", ProcessState.FAILED, reason, supervised=False)


def _unsupervised(snapshot: Snapshot) -> SupervisorUnreachable:
    return SupervisorUnreachable(
        f"{snapshot.name} has no supervisor any more.", cause=snapshot.reason, remedy="%las doctor"
    )


def _is_stopped(snapshot: Snapshot) -> bool:
    process = read_process(snapshot.supervisor_pid or 0)
    return process is not None and process.ticks == snapshot.supervisor_ticks and process.state in "Tt"


def _with_version(snapshot: Snapshot) -> Snapshot:
    """Say so when a supervisor of another version owns it; it is never ended for that."""
    theirs = snapshot.supervisor_version
    if not theirs or theirs == las_jupyter.__version__:
        return snapshot
    told = f"its supervisor is of version {theirs}, you have {las_jupyter.__version__}"
    return snapshot._replace(warnings=(*snapshot.warnings, f"{told}; %las restart {word(snapshot.name)} renews it"))


def _owned_by_us(spec: LaunchSpec) -> LaunchSpec:
    """``spec`` for a new start: what was bound to a kernel is bound to the one that asks now."""
    me = read_process(os.getpid())
    if spec.lifetime is not Lifetime.KERNEL or me is None:
        return spec
    return spec._replace(owner=Owner(me.pid, me.ticks, boot_id(), spec.owner.label if spec.owner else ""))


def _led_to(spec: LaunchSpec) -> tuple[Mount, ...]:
    """
    Its mounts without links, a fetched model's included: what the first start shows is what every later one does.

    Else a container that may write beside one of them puts a link there, ends, and is shown what that leads to.
    """
    if spec.container is None:
        return spec.mounts
    return tuple(mount._replace(source=os.path.realpath(os.path.expanduser(mount.source))) for mount in spec.mounts)


def _check_ports(spec: LaunchSpec) -> None:
    """Raise ``PortTaken`` naming the program when somebody listens on a port of ``spec`` already."""
    for port in spec.ports:
        if port.host == 0:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port.host))
                continue
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    continue
        pid = holder(port.host)
        process = read_process(pid) if pid else None
        who = f"{process.name} (process {process.pid}) listens there" if process else "another program listens there"
        raise PortTaken(
            f"Port {port.host} is taken.", cause=who, remedy=f"%las start {word(spec.module)} --port with a free one"
        )
