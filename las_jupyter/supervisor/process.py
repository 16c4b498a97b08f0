"""
The loop of the supervisor: it waits for descriptors and deadlines, feeds the lifecycle rule, carries out its effects.

One thread and one ``poll``. When nothing happens it sleeps until the next probe.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from las_jupyter.core import lifecycle
from las_jupyter.core.advice import word
from las_jupyter.core.backend import Backend, ExitStatus, InstanceRef, Running, StartFiles
from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.lifecycle import Effect
from las_jupyter.core.quantities import format_duration
from las_jupyter.core.snapshot import ExitRecord, Fetching, Health, Leftover, Snapshot
from las_jupyter.core.states import HealthState, LogCapture, Mode, ProcessState
from las_jupyter.core.wire import to_data
from las_jupyter.logs import pieces
from las_jupyter.logs.writer import LogStore, kept
from las_jupyter.state.files import write_atomic
from las_jupyter.state.lock import Lock
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.control import Client, Control
from las_jupyter.supervisor.keeping import Keeping
from las_jupyter.supervisor.owner import OwnerGone, watch_owner
from las_jupyter.supervisor.record import Record
from las_jupyter.supervisor.timers import Timers
from las_jupyter.supervisor.watching import Watching
from las_jupyter.supervisor.words import cannot_end, exit_text

if TYPE_CHECKING:
    from las_jupyter.logs.pump import Pump

_GRACE_OF_LEFTOVERS = 1.0
_INSIST_FIRST = 0.002
_INSIST_EVERY = 0.02
_INSIST_SLOWLY = 1.0
_LAST_RESORT = 10.0
_KEEP_UNSAVED = 3600.0
_MEANWHILE = 0.2
_MOST_LEFTOVERS = 50  # processes; it is written at every change, and nobody reads more
_KEY = "api_key"
_KEY_BYTES = 32
_TOLD = ("start requested", "BecameReady", "Launched", "LaunchRefused", "MainEnded")


class Supervisor:
    """Owns one instance from its first start to its end. The caller holds ``lock``."""

    def __init__(
        self, paths: StatePaths, lock: Lock, backend: Backend, spec: LaunchSpec, secrets: dict[str, str],
        before: Snapshot | None,
    ) -> None:  # fmt: skip
        self.paths, self.lock, self.backend, self.spec, self.secrets = paths, lock, backend, spec, secrets
        self.life = lifecycle.BEGIN.life
        self.running: Running | None = None
        self.timers = Timers()
        self.launch_error: LasError | None = None
        self._finished_at: float | None = None
        self._exit_status: ExitStatus | None = None
        self._insisting_since: float | None = None
        self._gentle_until = 0.0
        self._cannot_end = False
        self.store = LogStore(paths.logs(spec.name), spec.logs)
        self.control = Control(paths.socket(spec.name), self._command)
        self.record = Record(paths, spec, before, self.control.publish)
        self.watching = Watching(self)
        self.keeping = Keeping(self)
        self._wakeup = _wakeup_pipe()
        self._owner_fd: int | None = None
        self.pump: Pump | None = None

    # ---- beginning

    def begin(self) -> None:
        """Start the module for the first time."""
        self._watch_owner()
        self._carry_out(lifecycle.BEGIN, "start requested")

    def adopt(self, ref: InstanceRef | None, ended_by: str) -> None:
        """Take over what a dead supervisor left, or record that nothing is left."""
        before = self.record.snapshot
        if not before.state.alive:  # only its state file had to be written anew
            self.life = lifecycle.Life(before.state, before.reason)
            self._finish()
            self.save()
            return
        self.life = lifecycle.resumed(
            before.state, ready=before.ready_at is not None, tries=before.restarts, ended_by=ended_by
        )
        if before.state is ProcessState.BACKOFF:
            # The clock may have been set back since, and no restart is later than the rule allows.
            left = (before.next_restart_at or 0.0) - time.time()
            self.timers.set("backoff", min(max(0.0, left), self.spec.restart.cap))
            self.timers.set("port", 0.0)
        else:
            self.running = self._find(ref) if ref is not None else None
            self._adopt_pump()
            if self.running is None:
                self._lost()
                return
        self.record.note("supervision restored", before.state, self.life.state, self.life.reason)
        self._resume()
        self.save()
        self._watch_owner()

    def _find(self, ref: InstanceRef) -> Running | None:
        snapshot = self.record.snapshot
        files = StartFiles(
            self.paths.instance(self.spec.name), snapshot.log_path, -1, snapshot.generation, self.paths.state_dir
        )
        return self.backend.adopt(ref, self.spec, files=files)

    def _adopt_pump(self) -> None:
        """Go on carrying the log where the dead supervisor's pump stopped, or will stop now."""
        path, running = self.record.snapshot.log_path, self.running
        if self.spec.mode is Mode.CONTAINER or not os.path.isdir(path):
            return
        pump = self._make_pump(path)
        if running is None:
            pump.forget()
            return
        try:
            pump.adopt(running.pid)
        except OSError as error:
            self.record.warn("pump", f"its log cannot be carried on: {error.strerror}")
            return
        self.pump = pump

    def _make_pump(self, path: str) -> Pump:
        from las_jupyter.logs.pump import Pump  # only the few that pump have it in memory

        return Pump(self.paths.pipe(self.spec.name), path, kept(self.spec.logs))

    def _end_pump(self) -> None:
        if self.pump is not None:
            self.pump.end()
            self.pump = None

    def _resume(self) -> None:
        if self.running is None:
            return
        self.record.change(enforcement=self.running.enforcement)
        if self.life.state is ProcessState.STOPPING:
            # Its stop signal was sent before the state was written; a second one makes some servers leave at once.
            self.timers.set("grace", self.spec.stop.grace)
            return
        self.watching.begin(self.record.snapshot.log_path, ready=self.life.ready)
        self.keeping.begin()

    def _lost(self) -> None:
        before = self.record.snapshot
        text = "it ended while nobody watched; its exit status is unknown"
        if self.life.requested:
            text = "it ended after it was asked to stop, while nobody watched"
        gone = before.exit or ExitRecord(None, None, None, self.life.requested, text, None)
        self.record.change(exit=gone, pid=None, health=Health(HealthState.UNKNOWN, "it does not run"))
        if before.state is ProcessState.STOPPING:  # what was to follow its end follows
            self.record.note("found gone", before.state, before.state, gone.text)
            self.life = self.life._replace(reason=gone.text, hopeless=gone.oom is True)
            self._watch_owner()
            self.feed(lifecycle.NothingLeft())
            return
        self.life = self.life._replace(state=ProcessState.FAILED, reason=text, failed=True)
        self.record.note("found gone", before.state, ProcessState.FAILED, text)
        self._finish()
        self.save()

    def _watch_owner(self) -> None:
        try:
            self._owner_fd = watch_owner(self.spec)
        except OwnerGone:
            self.timers.set("orphaned", 0.0)

    # ---- life

    def run(self) -> None:
        """Until there is nothing left to own and its end is written down."""
        while not self._over():
            self._wait()
            self._tend()
            self.watching.advance()
            for name in self.timers.due():
                self._due(name)
        self.control.close()

    def _over(self) -> bool:
        if self._finished_at is None:
            return False
        # With a full disk the end is known here alone: stay until it is written, or an hour.
        return self.record.unsaved is None or time.monotonic() - self._finished_at > _KEEP_UNSAVED

    def feed(self, event: lifecycle.Event) -> None:
        """Tell the rule what happened and do what it says."""
        before = self.life
        step = lifecycle.advance(before, event, self.spec.restart)
        if step.life != before or step.effects:
            self._carry_out(step, type(event).__name__, getattr(event, "reason", ""))

    def _carry_out(self, step: lifecycle.Step, event: str, reason: str = "") -> None:
        before, self.life = self.record.snapshot.state, step.life
        if step.life.state is not before or event in _TOLD:
            data = self._identity() if event == "Launched" else {}
            self.record.note(event, before, step.life.state, reason or step.life.reason, **data)
        if event == "start requested":
            self._tell_overrides()
        if event == "MainEnded":
            self.save(quietly=True)  # nobody else will ever see this exit status, and ending what is left takes time
        for effect in step.effects:
            self._do(effect)
        self.save()

    def _tell_overrides(self) -> None:
        """What the user insisted on belongs to the story of the instance, not only to its plan."""
        for decision in self.spec.decisions:
            if decision.override:
                told = f"{decision.subject}: {decision.choice}; {decision.reason}"
                self.record.note("overridden", self.life.state, self.life.state, told)

    def _identity(self) -> dict[str, str]:
        """With this in the journal a damaged ``state.json`` loses nothing that runs."""
        if self.running is None:
            return {}
        return {**self.running.ref._asdict(), "log": self.record.snapshot.log_path}

    def _do(self, effect: Effect) -> None:
        match effect:
            case Effect.LAUNCH:
                self._launch()
            case Effect.ASK_TO_STOP:
                self.watching.end()
                self.timers.set("grace", self.spec.stop.grace)
                if self.running:
                    self.running.ask_to_stop(self.spec.stop.signal)
            case Effect.INSIST:
                self._insist_from_now()
            case Effect.WAIT_BEFORE_RESTART:
                self._wait_before_restart()
            case Effect.FINISH:
                self._finish()

    def _finish(self) -> None:
        self._finished_at = time.monotonic()

    def save(self, *, quietly: bool = False) -> None:
        """Write and tell where it stands."""
        snapshot = self.record.snapshot
        changed = self.life.state is not snapshot.state
        self.record.change(
            state=self.life.state,
            reason=self.life.reason,
            changed_at=time.time() if changed else snapshot.changed_at,
        )
        self.record.save(quietly=quietly)

    def log_size(self) -> int:
        """Bytes the module has written so far."""
        try:
            return pieces.size(self.record.snapshot.log_path)
        except OSError:
            return 0

    def _launch(self) -> None:
        now, last = time.time(), self.record.snapshot
        generation = last.generation + 1
        self._exit_status, self._insisting_since, self._cannot_end = None, None, False
        self.timers.drop("grace", "insist", "backoff", "port")
        self._renew_key()
        self.record.change(
            generation=generation, started_at=now, ready_at=None, memory_peak=None, exit=None, leftovers=(),
            next_restart_at=None, restarts=self.life.tries, health=Health(reason="starting"), pid=None,
            container_id=None, ref_token="", image=None, fetching=None,
        )  # fmt: skip
        self.launch_error = None
        try:
            self.running = self._launch_onto_log(generation, now)
        except LasError as error:
            self._end_pump()
            self.launch_error = error
            self.record.change(fetching=None, health=Health(reason="it does not run"), pid=None, ref_token="")
            self.feed(lifecycle.LaunchRefused(f"{error.message} {error.cause or ''}".strip()))
            return
        running = self.running
        self.record.change(
            pid=running.pid, container_id=running.container_id, ref_token=running.ref.token,
            enforcement=running.enforcement, image=running.image, fetching=None, health=Health(reason="starting"),
        )  # fmt: skip
        self.watching.begin(self.record.snapshot.log_path, ready=False)
        self.keeping.begin()
        self.feed(lifecycle.Launched())
        if self.pump is not None:
            how = "the log is carried there by a pump" + (
                ""
                if self.spec.logs.capture is LogCapture.PUMP
                else ": its file system cannot trim what is being written"
            )
            self.record.note("log pumped", self.life.state, self.life.state, how)

    def _launch_onto_log(self, generation: int, now: float) -> Running:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        try:
            path, fd = self.store.open(generation, stamp)
            if fd < 0 and self.spec.mode is not Mode.CONTAINER:
                self.pump = self._make_pump(path)
                fd = self.pump.begin()
        except OSError as error:
            cause = f"its log cannot be written: {error.strerror} ({self.paths.logs(self.spec.name)})"
            raise LasError(f"{self.spec.name} could not be started.", cause=cause, remedy="%las doctor") from error
        self.record.change(log_path=path)
        folder = self.paths.instance(self.spec.name)
        try:
            files = StartFiles(folder, path, fd, generation, self.paths.state_dir, self._meanwhile, self._known)
            return self.backend.launch(self.spec, secrets=self.secrets, files=files)
        finally:
            if fd >= 0:
                os.close(fd)

    def put_key_at_risk(self) -> None:
        """Another program has a port of the instance, and clients may have sent it the key."""
        if _KEY in self.secrets and not self.record.snapshot.key_at_risk:
            self.record.change(key_at_risk=True)

    def _renew_key(self) -> None:
        """A new key in the place of one that was at risk. A password stays: the data was made with it."""
        if not self.record.snapshot.key_at_risk or _KEY not in self.secrets:
            return
        fresh = {**self.secrets, _KEY: os.urandom(_KEY_BYTES).hex()}
        try:
            write_atomic(self.paths.secrets(self.spec.name), json.dumps(fresh).encode(), sync=True)
        except OSError as error:
            self.record.warn("key", f"its key was at risk and cannot be renewed: {error.strerror}")
            return
        self.secrets = fresh
        self.record.warn("key", None)
        self.record.change(key_at_risk=False)
        state = self.life.state
        self.record.note("key renewed", state, state, "another program had its port, so it gets a new key")

    def _known(self, ref: InstanceRef) -> None:
        """Write down what is about to run: were we killed now, our successor finds it."""
        self.record.change(pid=int(ref.id), ref_token=ref.token)
        self.save(quietly=True)

    def _meanwhile(self, fetching: Fetching | None) -> bool:
        """Tell how far the fetching is and serve whoever asks; False once this start is to be given up."""
        if fetching is not None and fetching != self.record.snapshot.fetching:
            self.record.change(fetching=fetching, health=Health(reason="its image is fetched", phase=fetching.text))
            self.save()
        self._wait(_MEANWHILE)
        for name in self.timers.due():
            self._due(name)
        return self.life.state is ProcessState.STARTING

    def _wait_before_restart(self) -> None:
        delay = lifecycle.restart_delay(self.spec.restart, self.life.tries)
        self.timers.set("backoff", delay)
        self.timers.set("port", 0.0)
        count = f"restart {self.life.tries + 1} of {self.spec.restart.max_tries} in {format_duration(delay)}"
        self.life = self.life._replace(reason=f"{self.life.reason}; {count}")
        self.record.change(next_restart_at=time.time() + delay)

    # ---- waiting

    def _wait(self, longest: float = float("inf")) -> None:
        poll, until = select.poll(), self.timers.next
        poll.register(self._wakeup, select.POLLIN)
        self.control.register(poll)
        if self.running is not None:
            poll.register(self.running.fileno(), select.POLLIN)
        if self._owner_fd is not None:
            poll.register(self._owner_fd, select.POLLIN)
        asking = self.watching.asking
        if asking is not None and asking.fileno() >= 0:
            poll.register(asking.fileno(), asking.events)
            until = min(until, asking.deadline)
        elif asking is not None:
            until = min(until, time.monotonic() + 0.05)
        until = min(until, time.monotonic() + min(longest, self.control.patience))
        left = None if until == float("inf") else max(0.0, until - time.monotonic()) * 1000 + 0.5
        for fd, events in poll.poll(left):
            self._serve(fd, events)
        self.control.answer()

    def _serve(self, fd: int, events: int) -> None:
        if self.control.owns(fd):
            self.control.serve(fd, events)
        elif fd == self._wakeup:
            os.read(self._wakeup, 4096)
        elif fd == self._owner_fd:
            os.close(fd)
            self._owner_fd = None
            self._due_orphaned()

    def _tend(self) -> None:
        if self.pump is not None:
            self.pump.tend()
        if self.running is None:
            return
        self.running.tend()
        if self._exit_status is None:
            status = self.running.exit()
            if status is not None:
                self._main_ended(status)

    def _main_ended(self, status: ExitStatus) -> None:
        self._exit_status = status
        if self.pump is not None:
            self.pump.drain()  # its last words may say why
        self.watching.end()
        self.keeping.end()
        seen = self.record.snapshot.exit
        if seen is not None:  # by the supervisor before us, which died before it had ended what was left
            self.feed(lifecycle.MainEnded(seen.text, not (seen.code == 0 or seen.requested), seen.oom is True))
            return
        insisted = self._insisting_since is not None
        left = self.running.leftovers() if self.running else ()
        requested = self.life.requested
        because = self.life.reason if self.life.state is ProcessState.STOPPING and not requested else ""
        text = exit_text(status, requested=requested, insisted=insisted, left=len(left), because=because)
        oom = True if self.keeping.ran_out else status.oom
        self.record.change(
            exit=ExitRecord(status.code, status.signal, oom, requested, text, time.time()),
            health=Health(HealthState.UNKNOWN, "it does not run"),
        )  # fmt: skip
        failed = not (status.code == 0 or requested)
        self.feed(lifecycle.MainEnded(text, failed, hopeless=bool(status.oom)))

    # ---- what is due

    def _due(self, name: str) -> None:
        match name:
            case "ready":
                self.watching.due_ready()
            case "live":
                self.watching.due_live()
            case "progress":
                self.watching.due_progress()
            case "limit":
                self.watching.due_limit()
            case "sockets":
                self.watching.due_sockets()
            case "port":
                self.watching.due_port()
            case "stable":
                self.feed(lifecycle.RanLongEnough())
            case "grace":
                self.feed(lifecycle.GraceOver())
            case "insist":
                self._due_insist()
            case "backoff":
                self.feed(lifecycle.WaitOver())
            case "orphaned":
                self._due_orphaned()
            case "keeping":
                self.keeping.due_keeping()
            case "logs":
                self.keeping.due_logs()
            case "memory":
                self.keeping.due_memory()
            case "tasks":
                self.keeping.due_tasks()
            case "peak":
                self.keeping.due_peak()
            case _:
                raise AssertionError(f"a timer {name} nobody serves")

    def _due_orphaned(self) -> None:
        self.feed(lifecycle.StopRequested("the kernel that owned it is gone"))

    def _insist_from_now(self) -> None:
        self.timers.drop("grace")
        if self._insisting_since is None:
            self._insisting_since = time.monotonic()
            self._gentle_until = 0.0
            if self._exit_status is not None:  # it ended by itself: what it left has not been asked yet
                self._gentle_until = self._insisting_since + min(_GRACE_OF_LEFTOVERS, self.spec.stop.grace)
        self._due_insist()

    def _due_insist(self) -> None:
        if self.running is None:
            return
        if time.monotonic() >= self._gentle_until or not self.running.ask_leftovers():
            self.running.insist()
        if self._exit_status is None and self.running.exit() is not None:
            self.timers.set("insist", 0.0)
            self._tend()
            return
        left = self.running.leftovers()
        if self._exit_status is not None and not left:
            self.record.change(pid=None, leftovers=())
            self.running.close()
            self.running = None
            self._end_pump()
            self.feed(lifecycle.NothingLeft())
            return
        self._still_there(left)

    def _still_there(self, left: tuple[Leftover, ...]) -> None:
        waited = time.monotonic() - (self._insisting_since or time.monotonic())
        if waited <= _LAST_RESORT:
            self.timers.set("insist", _INSIST_FIRST if waited < _INSIST_EVERY else _INSIST_EVERY)
            return
        self.timers.set("insist", _INSIST_SLOWLY)
        if self._exit_status is None and self.running and self.running.pid:
            left = (Leftover(self.running.pid, self.spec.module, "the main process, still there after KILL"), *left)
        if not self._cannot_end or left[:_MOST_LEFTOVERS] != self.record.snapshot.leftovers:
            self._cannot_end = True
            self.record.change(leftovers=left[:_MOST_LEFTOVERS])
            self.life = self.life._replace(reason=cannot_end(left))
            state = self.life.state
            self.record.note("cannot be ended", state, state, self.life.reason)
            self.save()

    # ---- commands

    def _command(self, request: dict[str, Any], client: Client) -> dict[str, Any]:
        match request.get("do"):
            case "ping" | "snapshot":
                pass
            case "subscribe":
                client.subscribed = True
            case "stop":
                self.keeping.usage()  # the last chance to see what it used
                grace = request.get("grace")
                if isinstance(grace, (int, float)) and grace >= 0:
                    self._set_grace(float(grace))
                self.feed(lifecycle.StopRequested(str(request.get("reason") or "stop requested")))
            case "restart":
                self.feed(lifecycle.RestartRequested("restart requested"))
            case "usage":
                usage = self.keeping.usage()
                return {"ok": True, "usage": to_data(usage)}
            case other:
                return {
                    "ok": False,
                    "error": {
                        "type": "SupervisorUnreachable",
                        "message": f"This supervisor cannot {other!r}.",
                        "cause": "it is of another version than you",
                        "remedy": f"%las restart {word(self.spec.name)} gives it one of yours",
                    },
                }
        return {"ok": True, "snapshot": to_data(self.record.snapshot)}

    def _set_grace(self, grace: float) -> None:
        """A stop may shorten or lengthen the grace, also of a stop that is under way."""
        self.spec = self.spec._replace(stop=self.spec.stop._replace(grace=grace))
        if "grace" in self.timers:
            self.timers.set("grace", grace)


def _wakeup_pipe() -> int:
    """A descriptor that becomes readable when a child ended."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable
