"""
The loop of the supervisor: it waits for descriptors and deadlines, feeds the lifecycle rule, carries out its effects.

One thread and one ``poll``. When nothing happens it sleeps until the next probe.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any

import las_jupyter
from las_jupyter.core import lifecycle
from las_jupyter.core.backend import Backend, ExitStatus, InstanceRef, Running, StartFiles
from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.lifecycle import Effect, Life
from las_jupyter.core.quantities import format_duration, format_size
from las_jupyter.core.snapshot import EventRecord, ExitRecord, Health, Snapshot
from las_jupyter.core.states import HealthState, Lifetime, ProcessState
from las_jupyter.core.wire import from_json, to_data
from las_jupyter.health.answers import Answer, Word
from las_jupyter.health.judge import Belief, judge
from las_jupyter.health.probes import Asking, begin
from las_jupyter.limits.tree import boot_id, read_process
from las_jupyter.logs.scan import Scanner
from las_jupyter.logs.writer import LogStore
from las_jupyter.state.files import read_value, write_value
from las_jupyter.state.journal import append
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.control import Client, Control

_INSIST_EVERY = 0.02
_LAST_RESORT = 10.0
_WATCH_MEMORY_EVERY = 2.0


class Supervisor:
    """Owns one instance from its first start to its end. The caller holds the lock."""

    def __init__(
        self, paths: StatePaths, name: str, backend: Backend, spec: LaunchSpec, secrets: dict[str, str]
    ) -> None:
        self.paths, self.name, self.backend, self.spec, self.secrets = paths, name, backend, spec, secrets
        self.life = lifecycle.BEGIN.life
        self.running: Running | None = None
        self.belief = Belief()
        self.asking: Asking | None = None
        self.timers: dict[str, float] = {}
        self.finished = False
        self.exit_status: ExitStatus | None = None
        self.progress_mark = (0, 0)
        self.launch_error: LasError | None = None
        self.insisting_since: float | None = None
        self.store = LogStore(paths.logs(name), spec.logs)
        self.scanner = Scanner("")
        self.control = Control(paths.socket(name), self._command)
        self.wakeup = _wakeup_pipe()
        self.owner_fd = self._watch_owner()
        before = read_value(paths.state(name), Snapshot)
        self.snapshot = _first_snapshot(spec, before)

    # ---- life

    def begin(self) -> None:
        """Start the module for the first time."""
        self._carry_out(lifecycle.BEGIN, "start requested")

    def adopt(self, ref: InstanceRef) -> bool:
        """Take over what a dead supervisor left; False when it is gone."""
        files = StartFiles(self.paths.instance(self.name), self.snapshot.log_path, -1, self.snapshot.generation)
        running = self.backend.adopt(ref, self.spec, files=files)
        if running is None:
            return False
        self.running = running
        self.scanner = self._new_scanner(self.snapshot.log_path)
        ready = self.snapshot.ready_at is not None
        state = ProcessState.RUNNING if ready else ProcessState.STARTING
        self.life = Life(state, "supervision was restored: the last supervisor had died", ready=ready)
        self._note("supervision restored", self.snapshot.state, self.life.reason)
        self._arm_after_launch()
        self._save()
        return True

    def lost(self) -> None:
        """The module ended while nobody watched."""
        exit = ExitRecord(None, None, None, False, "it ended while nobody watched; its exit status is unknown", None)
        self.snapshot = self.snapshot._replace(exit=exit, pid=None)
        self.life = Life(ProcessState.FAILED, exit.text, failed=True)
        self._note("found gone", self.snapshot.state, exit.text)
        self._save()

    def run(self) -> None:
        """Until there is nothing left to own."""
        while not self.finished:
            self._wait()
            self._tend()
            self._due()
        self.control.close()

    def _feed(self, event: lifecycle.Event) -> None:
        before = self.life
        step = lifecycle.advance(before, event, self.spec.restart)
        if step.life != before or step.effects:
            reason = getattr(event, "reason", "") or step.life.reason
            self._carry_out(step, type(event).__name__, reason)

    def _carry_out(self, step: lifecycle.Step, event: str, reason: str = "") -> None:
        before = self.snapshot.state
        self.life = step.life
        if step.life.state is not before or event in ("BecameReady", "start requested", "Launched"):
            self._note(event, before, reason or step.life.reason)
        for effect in step.effects:
            self._carry_out_one(effect)
        self._save()

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Effect.LAUNCH:
                self._launch()
            case Effect.ASK_TO_STOP:
                self.timers.pop("ready", None)
                self.timers.pop("live", None)
                self.timers["grace"] = time.monotonic() + self.spec.stop.grace
                if self.running:
                    self.running.ask_to_stop(self.spec.stop.signal)
            case Effect.INSIST:
                self.timers.pop("grace", None)
                self.insisting_since = time.monotonic()
                self.timers["insist"] = 0.0
            case Effect.WAIT_BEFORE_RESTART:
                delay = lifecycle.restart_delay(self.spec.restart, self.life.tries)
                self.timers["backoff"] = time.monotonic() + delay
                left = f"restart {self.life.tries + 1} of {self.spec.restart.max_tries} in {format_duration(delay)}"
                self.life = self.life._replace(reason=f"{self.life.reason}; {left}")
                self.snapshot = self.snapshot._replace(next_restart_at=time.time() + delay)
            case Effect.FINISH:
                self.finished = True

    def _launch(self) -> None:
        now = time.time()
        generation = self.snapshot.generation + 1
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        path, fd = self.store.open(generation, stamp)
        self.snapshot = self.snapshot._replace(
            generation=generation, log_path=path, started_at=now, ready_at=None, exit=None, next_restart_at=None,
            restarts=self.life.tries, health=Health(reason="starting"), leftovers=(), pid=None, container_id=None,
        )  # fmt: skip
        self.belief, self.exit_status, self.insisting_since = Belief(), None, None
        self.scanner = self._new_scanner(path)
        self.timers.clear()
        files = StartFiles(self.paths.instance(self.name), path, fd, generation, self.paths.state_dir)
        try:
            running = self.backend.launch(self.spec, secrets=self.secrets, files=files)
        except LasError as error:
            self.launch_error = error
            self._feed(lifecycle.LaunchRefused(f"{error.message} {error.cause or ''}".strip()))
            return
        finally:
            os.close(fd)
        self.running = running
        self.snapshot = self.snapshot._replace(
            pid=running.pid,
            container_id=running.container_id,
            ref_token=running.ref.token,
            enforcement=running.enforcement,
        )
        self._arm_after_launch()
        self._feed(lifecycle.Launched())

    def _arm_after_launch(self) -> None:
        now = time.monotonic()
        if self.life.state is ProcessState.RUNNING:
            self.timers["live"] = now
        else:
            self.timers["ready"] = now
            self.progress_mark = (0, 0)
            self.timers["stall"] = now + self.spec.ready.stall
            if self.spec.ready.limit:
                self.timers["limit"] = now + self.spec.ready.limit
        if self.spec.limits.memory and self.running and self.running.enforcement.get("memory") == "watched":
            self.timers["memory"] = now + _WATCH_MEMORY_EVERY

    # ---- waiting

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.wakeup, select.POLLIN)
        poll.register(self.control.socket, select.POLLIN)
        for fd, client in self.control.clients.items():
            poll.register(fd, client.wants)
        if self.running and self.exit_status is None:
            poll.register(self.running.fileno(), select.POLLIN)
        if self.owner_fd is not None:
            poll.register(self.owner_fd, select.POLLIN)
        timeout = self._next_deadline()
        if self.asking:
            if self.asking.fileno() >= 0:
                poll.register(self.asking.fileno(), self.asking.events)
                timeout = min(timeout, self.asking.deadline)
            else:
                timeout = min(timeout, time.monotonic() + 0.05)
        wait = None if timeout == float("inf") else max(0, timeout - time.monotonic()) * 1000
        for fd, events in poll.poll(None if wait is None else wait + 0.5):
            if fd == self.control.socket.fileno():
                self.control.accept()
            elif fd in self.control.clients:
                self.control.serve(fd, events)
            elif fd == self.wakeup:
                os.read(self.wakeup, 4096)
            elif fd == self.owner_fd:
                os.close(fd)
                self.owner_fd = None
                self._feed(lifecycle.StopRequested("the kernel that owned it is gone"))

    def _next_deadline(self) -> float:
        return min(self.timers.values(), default=float("inf"))

    def _tend(self) -> None:
        if self.running is None or self.exit_status is not None:
            if self.running is not None:
                self.running.tend()
            return
        self.running.tend()
        status = self.running.exit()
        if status is not None:
            self._main_ended(status)

    def _main_ended(self, status: ExitStatus) -> None:
        self.exit_status = status
        for timer in ("ready", "live", "stall", "limit", "memory", "stable"):
            self.timers.pop(timer, None)
        self._stop_asking()
        requested = self.life.requested
        text = _exit_text(status, requested=requested)
        self.snapshot = self.snapshot._replace(
            exit=ExitRecord(status.code, status.signal, status.oom, requested, text, time.time()),
            health=Health(HealthState.UNKNOWN, "it does not run"),
        )
        failed = not (status.code == 0 or requested)
        self._feed(lifecycle.MainEnded(text, failed))

    # ---- what is due

    def _due(self) -> None:
        if self.asking:
            answer = self.asking.advance()
            if answer is not None:
                self._stop_asking()
                self._answered(answer)
        now = time.monotonic()
        for name in [name for name, at in self.timers.items() if at <= now]:
            if name in self.timers:
                del self.timers[name]
                getattr(self, f"_due_{name}")()

    def _due_ready(self) -> None:
        self._look_for_phase()
        probe = self.spec.ready.probe
        if probe is None:
            self._answered(Answer(Word.YES, "it runs, and no probe is declared"))
        else:
            self._ask(self.spec.ready.timeout)

    def _due_live(self) -> None:
        if self.spec.live.probe is not None:
            self._ask(self.spec.live.timeout)

    def _ask(self, timeout: float) -> None:
        probe = self.spec.live.probe if self.life.ready else self.spec.ready.probe
        if self.asking or probe is None or self.running is None:
            return
        try:
            self.asking = begin(probe, self.spec, self.running, self.scanner, timeout)
        except OSError as error:
            self._answered(Answer(Word.UNASKED, f"could not ask: {error.strerror}"))

    def _stop_asking(self) -> None:
        if self.asking:
            self.asking.close()
            self.asking = None

    def _answered(self, answer: Answer) -> None:
        if self.life.state is ProcessState.STARTING:
            self._answered_before_ready(answer)
        elif self.life.state is ProcessState.RUNNING:
            before = self.belief
            self.belief = judge(before, answer, self.spec.live)
            self.timers["live"] = time.monotonic() + self.spec.live.every
            changed = before.state is not self.belief.state
            self.snapshot = self.snapshot._replace(
                health=Health(self.belief.state, self.belief.reason, None, time.time())
            )
            if changed:
                self._note("health", self.life.state, f"{self.belief.state}: {self.belief.reason}")
            self._save(quietly=not changed)

    def _answered_before_ready(self, answer: Answer) -> None:
        if answer.word is Word.YES and self._foreign_listener():
            answer = Answer(Word.NO, "somebody else answers on its port")
        if answer.word is Word.YES:
            now = time.time()
            took = format_duration(now - (self.snapshot.started_at or now))
            self.belief = Belief(HealthState.HEALTHY, answer.reason, yes=1)
            self.snapshot = self.snapshot._replace(
                ready_at=now, health=Health(HealthState.HEALTHY, answer.reason, None, now)
            )
            for timer in ("stall", "limit", "ready"):
                self.timers.pop(timer, None)
            self.timers["live"] = time.monotonic() + self.spec.live.every
            self.timers["stable"] = time.monotonic() + self.spec.restart.reset_after
            self._feed(lifecycle.BecameReady(f"ready after {took}"))
            return
        phase = self.snapshot.health.phase
        loading = answer.word is Word.LOADING
        health = Health(HealthState.UNKNOWN, answer.reason, phase or ("loading" if loading else None), time.time())
        if (health.reason, health.phase) != (self.snapshot.health.reason, phase):
            self.snapshot = self.snapshot._replace(health=health)
            self._save()
        self.timers["ready"] = time.monotonic() + self.spec.ready.every

    def _foreign_listener(self) -> bool:
        probe = self.spec.ready.probe
        port = self.spec.port(getattr(probe, "port", "")) if probe else None
        return bool(port and self.running and self.running.owns_listener(port.host) is False)

    def _look_for_phase(self) -> None:
        while self.scanner.advance():
            pass
        says = {phase.pattern: phase.says for phase in self.spec.phases}.get(self.scanner.latest or "")
        if says and says != self.snapshot.health.phase:
            self.snapshot = self.snapshot._replace(health=self.snapshot.health._replace(phase=says))
            self._save()

    def _due_stall(self) -> None:
        mark = (self.running.progress() if self.running else 0, self.scanner.offset)
        if mark != self.progress_mark:
            self.progress_mark = mark
            self.timers["stall"] = time.monotonic() + self.spec.ready.stall
            return
        last = self.scanner.last_line
        doing = f"; its last words were: {last}" if last else "; it wrote nothing"
        quiet = format_duration(self.spec.ready.stall)
        self._feed(lifecycle.Stalled(f"it made no progress for {quiet} before it was ready{doing}"))

    def _due_limit(self) -> None:
        limit = format_duration(self.spec.ready.limit or 0)
        self._feed(lifecycle.Stalled(f"it was not ready within {limit}; its last words were: {self.scanner.last_line}"))

    def _due_stable(self) -> None:
        self._feed(lifecycle.RanLongEnough())

    def _due_grace(self) -> None:
        self._feed(lifecycle.GraceOver())

    def _due_backoff(self) -> None:
        self._feed(lifecycle.WaitOver())

    def _due_memory(self) -> None:
        limit = self.spec.limits.memory
        if self.running is None or limit is None or not self.life.state.alive:
            return
        usage = self.running.usage()
        if usage.memory > limit:
            told = f"it used {format_size(usage.memory)}, more than its limit of {format_size(limit)}"
            self.life = self.life._replace(failed=True)
            self._feed(lifecycle.StopRequested(told))
        else:
            self.timers["memory"] = time.monotonic() + _WATCH_MEMORY_EVERY

    def _due_insist(self) -> None:
        if self.running is None:
            return
        self.running.insist()
        left = self.running.leftovers()
        main_gone = self.running.exit() is not None
        if main_gone and self.exit_status is None:
            self._tend()
        if main_gone and not left:
            self.snapshot = self.snapshot._replace(pid=None, leftovers=())
            self.running.close()
            self.running = None
            self._feed(lifecycle.NothingLeft())
            return
        since = self.insisting_since or time.monotonic()
        if time.monotonic() - since > _LAST_RESORT and left != self.snapshot.leftovers:
            names = ", ".join(f"{each.name} ({each.pid}, {each.why})" for each in left)
            self.snapshot = self.snapshot._replace(leftovers=left)
            self.life = self.life._replace(reason=f"cannot be ended: {names}")
            self._save()
        self.timers["insist"] = time.monotonic() + _INSIST_EVERY

    # ---- telling

    def _new_scanner(self, path: str) -> Scanner:
        return Scanner(path, tuple(phase.pattern for phase in self.spec.phases))

    def _note(self, event: str, before: ProcessState, reason: str) -> None:
        record = EventRecord(time.time(), event, before, self.life.state, reason, self.snapshot.generation)
        try:
            append(self.paths.events(self.name), record)
        except OSError:
            pass  # the disk is full: the socket and the state in memory still tell
        self.control.publish({"event": to_data(record)})

    def _save(self, *, quietly: bool = False) -> None:
        changed = self.life.state is not self.snapshot.state
        self.snapshot = self.snapshot._replace(
            state=self.life.state,
            reason=self.life.reason,
            changed_at=time.time() if changed else self.snapshot.changed_at,
        )
        try:
            write_value(self.paths.state(self.name), self.snapshot, sync=not self.life.state.alive)
        except OSError:
            pass
        if not quietly:
            self.control.publish({"snapshot": to_data(self.snapshot)})

    def _command(self, request: dict[str, Any], client: Client) -> dict[str, Any]:
        match request.get("do"):
            case "ping" | "snapshot":
                pass
            case "subscribe":
                client.subscribed = True
            case "stop":
                if request.get("grace") is not None:
                    self.spec = self.spec._replace(stop=self.spec.stop._replace(grace=float(request["grace"])))
                self._feed(lifecycle.StopRequested(str(request.get("reason") or "stop requested")))
            case "restart":
                self._feed(lifecycle.RestartRequested("restart requested"))
            case "usage":
                usage = self.running.usage() if self.running else None
                return {"ok": True, "usage": to_data(usage)}
            case other:
                return {"ok": False, "error": {"type": "BadRequest", "message": f"This supervisor cannot {other!r}."}}
        return {"ok": True, "snapshot": to_data(self.snapshot)}

    def _watch_owner(self) -> int | None:
        owner = self.spec.owner
        if self.spec.lifetime is not Lifetime.KERNEL or owner is None:
            return None
        try:
            fd = os.pidfd_open(owner.pid)
        except OSError:
            self.timers["grace"] = 0.0
            return None
        process = read_process(owner.pid)
        if process is None or process.ticks != owner.start_ticks:
            os.close(fd)
            return None
        return fd


def _wakeup_pipe() -> int:
    """A descriptor that becomes readable when a child ended."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


def _first_snapshot(spec: LaunchSpec, before: Snapshot | None) -> Snapshot:
    me = read_process(os.getpid())
    url = f"http://127.0.0.1:{spec.ports[0].host}" if spec.ports else None
    told = Snapshot(spec.name, spec.module, spec.mode, spec.backend, ProcessState.STARTING, "starting")
    if before is not None:
        told = before
    return told._replace(
        name=spec.name, module=spec.module, mode=spec.mode, backend=spec.backend, fingerprint=spec.fingerprint,
        model=spec.model, boot_id=boot_id(), ports=spec.ports, url=url, lifetime=spec.lifetime,
        created_at=before.created_at if before else time.time(), supervised=True, supervisor_pid=os.getpid(),
        supervisor_ticks=me.ticks if me else None, supervisor_version=las_jupyter.__version__,
    )  # fmt: skip


def _exit_text(status: ExitStatus, *, requested: bool) -> str:
    if status.code is None and status.signal is None:
        return "it ended, and its exit status is unknown"
    how = f"with exit code {status.code}" if status.signal is None else f"by {status.signal}"
    if requested:
        return f"stopped as requested, ended {how}"
    if status.oom:
        return "killed because it ran out of memory"
    meaning = _SIGNAL_MEANINGS.get(status.signal or "", "")
    return f"it ended by itself {how}{meaning}"


_SIGNAL_MEANINGS = {
    "SIGKILL": ": killed from outside, perhaps by the kernel for lack of memory",
    "SIGSEGV": ": it crashed (segmentation fault)",
    "SIGABRT": ": it gave up (abort)",
    "SIGILL": ": it was built for another processor",
    "SIGBUS": ": a file it had mapped was cut short, or the disk failed",
}


def load(paths: StatePaths, name: str) -> tuple[LaunchSpec, dict[str, str]]:
    """The spec and the secrets of ``name``. Raises ``ValueError`` or ``OSError``."""
    import json

    with open(paths.spec(name), "rb") as file:
        spec = from_json(LaunchSpec, file.read())
    try:
        with open(paths.secrets(name), "rb") as file:
            secrets = {str(key): str(value) for key, value in json.loads(file.read()).items()}
    except FileNotFoundError:
        secrets = {}
    return spec, secrets
