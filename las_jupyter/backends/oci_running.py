"""
One container as the supervisor sees it.

Three threads keep the supervisor's own thread free: one watches for the end, one collects the log, one carries out
what is asked. The end is told only after the log is complete.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from las_jupyter.backends.listeners import is_foreign
from las_jupyter.backends.oci import ContainerFacts, EngineError, EngineUnreachable
from las_jupyter.core.backend import ExitStatus, InstanceRef, OpenListener
from las_jupyter.core.snapshot import Health, Leftover, Usage
from las_jupyter.core.states import HealthState
from las_jupyter.limits import sockets
from las_jupyter.limits.tree import Proc, members, read_process
from las_jupyter.limits.usage import bytes_read, measure

if TYPE_CHECKING:
    from las_jupyter.backends.oci_backend import CollectingEngine
    from las_jupyter.backends.oci_logs import Collector, Sink

_LOOK_BLIND = 1.0
_LOOK_SOON = 0.02
_RETRY = 0.3
_FIRST_WORD = 1.0
_ENGINE_LEARNS_WITHIN = 5.0
_TIMED_OUT = 124
_HEALTH = {"healthy": HealthState.HEALTHY, "unhealthy": HealthState.UNHEALTHY}


class OciRunning:
    """A started container."""

    def __init__(
        self, engine: CollectingEngine, facts: ContainerFacts, token: str, sink: Sink, *,
        enforcement: dict[str, str], health_every: float | None, image: str | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._facts, self._sink = engine, facts, sink
        self.ref = InstanceRef(engine.name, facts.id, token)
        self.container_id: str | None = facts.id
        self.image = image
        self.enforcement = enforcement
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._exit: ExitStatus | None = None
        self._closing, self._asked, self._insisting, self._insisted, self._lost_touch = (
            False,
            False,
            False,
            False,
            False,
        )
        self._health = Health()
        self._health_every = health_every
        self._last_usage = Usage()
        self._probe: _Probe | None = None
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pidfd, self._ending = _pidfd(facts), False
        self._gone_at: float | None = None
        self.pid: int | None = facts.pid if self._pidfd is not None else None
        self._collector: Collector = engine.collector(facts, sink)
        self._collecting = threading.Thread(target=self._collect, name="collect", daemon=True)
        self._collecting.start()
        for work in (self._watch, self._obey):
            threading.Thread(target=work, daemon=True).start()

    # ---- what the supervisor asks

    def fileno(self) -> int:
        return self._fd

    def tend(self) -> None:
        """Take the news; the threads have written them down."""
        try:
            os.eventfd_read(self._fd)
        except (BlockingIOError, OSError):
            pass

    def exit(self) -> ExitStatus | None:
        return self._exit

    def ask_to_stop(self, signal: str) -> None:
        if not self._asked and self._exit is None:
            self._asked = True
            self._commands.put(lambda: self._kill(signal))

    def ask_leftovers(self) -> bool:
        return False

    def insist(self) -> None:
        if self._exit is None and not self._insisting:
            self._insisting = self._insisted = True
            self._commands.put(lambda: self._kill("SIGKILL"))

    def leftovers(self) -> tuple[Leftover, ...]:
        """Nothing survives the end of a container's first process: the kernel sees to it."""
        if self._exit is not None:
            return ()
        return tuple(Leftover(each.pid, each.name, "alive") for each in self._tree() if each.pid != self.pid)

    def usage(self) -> Usage:
        tree = self._tree()
        if tree:
            self._last_usage = measure(tree)
        return self._last_usage

    def progress(self) -> int:
        return sum(each.cpu_ticks + bytes_read(each.pid) for each in self._tree())

    def tasks(self) -> int:
        return sum(each.threads for each in self._tree())

    def killed_for_memory(self) -> int:
        return 0

    def owns_listener(self, port: int) -> bool | None:
        """The engine listens on the container's behalf, as root or as this user: nobody else does."""
        return self.owns_connection(port, 0)

    def owns_connection(self, port: int, client: int) -> bool | None:
        found = sockets.answering(port, client)
        return False if found is not None and is_foreign(found) else None

    def open_listeners(self) -> tuple[OpenListener, ...]:
        """None: it listens in a network of its own, and what leads there was published by the plan."""
        return ()

    def engine_health(self) -> Health | None:
        lost = self.out_of_touch()
        if lost is not None:
            return Health(HealthState.UNKNOWN, lost)
        if self._health_every is not None:
            return self._health
        return Health(HealthState.HEALTHY, f"{self._engine.name} says that it runs, and no probe is declared")

    def out_of_touch(self) -> str | None:
        if not self._lost_touch:
            return None
        return f"{self._engine.name} does not answer; the container ran when it last did"

    def run_probe(self, argv: tuple[str, ...], timeout: float) -> int | None:
        if self._exit is not None:
            raise OSError(0, "the container does not run")
        if self._probe is None:
            self._probe = _Probe(self._engine, self._facts, argv, timeout)
        code = self._probe.answer()
        if code is not None:
            self._probe = None
        return code

    def close(self) -> None:
        """Remove the container, if it has ended: its exit and its log are known."""
        if self._closing:
            return
        self._closing = True
        self._collector.abandon()
        self._commands.put(None)
        os.eventfd_write(self._wake, 1)
        if self._exit is not None:
            try:
                self._engine.remove(self._facts.id)
                self._engine.tidy()
            except EngineError:
                pass  # its labels tell the next start that it is ours

    # ---- what the threads do

    def _obey(self) -> None:
        while True:
            command = self._commands.get()
            if command is None:
                return
            command()

    def _kill(self, name: str) -> None:
        try:
            self._engine.kill(self._facts.id, name)
        except EngineUnreachable:
            self._asked = self._asked and name == "SIGKILL"
        except EngineError:
            pass  # it ended meanwhile
        finally:
            self._insisting = False
            os.eventfd_write(self._wake, 1)

    def _collect(self) -> None:
        try:
            self._collector.run()
        except OSError:
            pass  # a full disk: the engine has the record, and the end must be told all the same

    def _watch(self) -> None:
        status: ExitStatus | None = None
        health_at = 0.0
        while status is None and not self._closing:
            self._wait()
            status = self._look()
            if self._health_every is not None and status is None and time.monotonic() >= health_at:
                self._ask_health()
                health_at = time.monotonic() + self._until_health(self._health_every)
        if status is None:
            return
        self._collector.finish()
        self._collecting.join()
        self._sink.close(finished=True)
        self._exit = status
        os.eventfd_write(self._fd, 1)

    def _wait(self) -> None:
        """Until the process ends, somebody wakes us, or it is time to look whether the engine still has it."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if self._lost_touch:
            every = _RETRY
        elif self._ending:
            every = _LOOK_SOON
        elif self._pidfd is None:
            every = _LOOK_BLIND
        else:
            poll.register(self._pidfd, select.POLLIN)
            every = self._engine.look_every
        if self._health_every is not None:
            every = min(every, self._until_health(self._health_every))
        for fd, _ in poll.poll(every * 1000):
            if fd == self._wake:
                os.eventfd_read(self._wake)
            else:
                # The engine needs a moment to learn what the kernel told us.
                os.close(fd)
                self._pidfd, self._ending = None, True

    def _look(self) -> ExitStatus | None:
        try:
            facts = self._engine.inspect(self._facts.id)
        except EngineUnreachable:
            self._lost_touch = True
            return None
        except EngineError:
            return None
        ended = exit_status(facts, restarted=self._lost_touch, name=self._engine.name, insisted=self._insisted)
        if ended is None and facts is not None and self._died_unseen(facts):
            evidence = f"its process is gone and {self._engine.name} still says that it runs: nobody saw how it ended"
            return ExitStatus(None, None, None, evidence)
        if ended is None and facts is not None:
            if (facts.pid and facts.pid != self._facts.pid) or self._lost_touch:
                if self._pidfd is not None:
                    os.close(self._pidfd)
                self._pidfd, self._ending = _pidfd(facts), False
            self._lost_touch = False
            self._facts = facts
        return ended

    def _until_health(self, usual: float) -> float:
        """Somebody waits for the first word; later ones cost Podman a process each."""
        return min(usual, _FIRST_WORD) if self._health.state is HealthState.UNKNOWN else usual

    def _died_unseen(self, facts: ContainerFacts) -> bool:
        """Whether its monitor was killed, so that the engine will never learn of the end that the kernel told."""
        if not self._ending or is_of_container(facts.pid, facts.id):
            self._gone_at = None
            return False
        if self._gone_at is None:
            self._gone_at = time.monotonic()
        return time.monotonic() - self._gone_at > _ENGINE_LEARNS_WITHIN

    def _ask_health(self) -> None:
        try:
            self._engine.check_health(self._facts.id)
            facts = self._engine.inspect(self._facts.id)
        except EngineError as error:
            self._health = Health(HealthState.UNKNOWN, f"could not ask: {error}", None, time.time())
            return
        if facts is not None and facts.status == "running":
            words = facts.health_text.splitlines()[-1:] or ["no words"]
            reason = f"the image's own check says {facts.health or 'nothing'}: {words[0]}"
            self._health = Health(_HEALTH.get(facts.health, HealthState.UNKNOWN), reason, None, time.time())

    def _tree(self) -> tuple[Proc, ...]:
        if self.pid is None or self._exit is not None or not is_of_container(self.pid, self._facts.id):
            return ()
        return members(self.pid)


def exit_status(facts: ContainerFacts | None, *, restarted: bool, name: str, insisted: bool) -> ExitStatus | None:
    """How a container ended, as far as its engine knows; None while it runs."""
    if facts is None:
        return ExitStatus(None, None, None, f"its container was removed from {name} by somebody else")
    if not facts.over:
        return None
    evidence, cause = f"{name} says so", ""
    if restarted:
        evidence = cause = f"{name} was restarted, and stopped it"
    elif facts.exit_code == 137 and not facts.oom and not insisted:
        evidence = f"{name} says so; somebody else killed it"
    if facts.exit_code == 137:
        return ExitStatus(None, "SIGKILL", facts.oom, evidence, cause=cause)
    return ExitStatus(facts.exit_code, None, False, evidence, cause=cause)


def is_of_container(pid: int, container: str) -> bool:
    """
    Whether the process is the container's first one, on this very machine: its cgroup says so, or its parent.

    Podman without root gives a container no cgroup where it may not make one; its monitor then names the container.
    """
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            if container in file.read():
                return True
        process = read_process(pid)
        with open(f"/proc/{process.parent if process else 0}/cmdline", "rb") as file:
            program, *words = file.read().split(b"\0")
    except OSError:
        return False
    return program.endswith(b"conmon") and container.encode() in words


def _pidfd(facts: ContainerFacts) -> int | None:
    """A handle on the main process, when it is a process of this machine and provably this container's."""
    if not facts.pid:
        return None
    try:
        fd = os.pidfd_open(facts.pid)
    except OSError:
        return None
    if is_of_container(facts.pid, facts.id):
        return fd
    os.close(fd)
    return None


class _Probe:
    """One command run in the container, by a thread of its own."""

    def __init__(self, engine: CollectingEngine, facts: ContainerFacts, argv: tuple[str, ...], timeout: float) -> None:
        self._engine, self._facts, self._argv, self._timeout = engine, facts, argv, timeout
        self._code: int | None = None
        self._error: str | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            code = self._engine.execute(self._facts.id, self._argv, self._timeout)
        except TimeoutError:
            end_probe(self._facts.pid, self._argv)
            code = _TIMED_OUT
        except EngineError as error:
            self._error = str(error)
            return
        self._code = code

    def answer(self) -> int | None:
        if self._error is not None:
            raise OSError(0, self._error)
        return self._code


def end_probe(main: int, argv: tuple[str, ...]) -> None:
    """
    End a probe that hangs: no engine does it for us.

    It is a process in the container's process namespace whose parent is outside of it, with the probe's words.
    """
    try:
        space = os.readlink(f"/proc/{main}/ns/pid")
    except OSError:
        return
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == main:
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = tuple(word.decode(errors="replace") for word in file.read().split(b"\0")[:-1])
            process = read_process(int(entry))
            inside = os.readlink(f"/proc/{entry}/ns/pid") == space
            if process and inside and words == argv and os.readlink(f"/proc/{process.parent}/ns/pid") != space:
                os.kill(process.pid, signal.SIGKILL)
        except OSError:
            continue
