"""
Direct execution: the module is a child of the supervisor, in a session of its own.

The supervisor is the sub-reaper, so whatever forks twice comes back to it and is found. A signal goes through a
descriptor of exactly the process that is meant, never to a bare number.
"""

from __future__ import annotations

import _ctypes
import os
import select
import signal
import time
from collections.abc import Iterator

from las_jupyter.backends import native_limits, native_tree, process_id
from las_jupyter.backends.environment import environment
from las_jupyter.backends.listeners import OpenSockets, owned_by
from las_jupyter.backends.native_exec import RESTORED_SIGNALS, with_secret_files
from las_jupyter.backends.process_id import ProcessId
from las_jupyter.core.backend import ExitStatus, InstanceRef, OpenListener, StartFiles, Unavailable
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Health, Leftover, Usage
from las_jupyter.limits import sockets
from las_jupyter.limits.leaf import Killed, Leaf, noted
from las_jupyter.limits.tree import Proc, boot_id, read_process
from las_jupyter.limits.usage import bytes_read, measure

_PR_SET_CHILD_SUBREAPER = 36
_ONE_INSISTENCE = 0.02
_PROBE_TIMED_OUT = 124
_COUNT_EVERY = 1.0
_SHORTLY = 30.0


class NativeBackend:
    """Runs a spec's argv on this machine."""

    name = "native"

    def __init__(self) -> None:
        self._base = dict(os.environ)

    def why_unavailable(self) -> Unavailable | None:
        """Native execution needs Linux: process descriptors and ``/proc``."""
        if not hasattr(os, "pidfd_open") or not os.path.exists("/proc/self/stat"):
            return Unavailable("native execution needs Linux with process descriptors", "use --mode container")
        return None

    def launch(self, spec: LaunchSpec, *, secrets: dict[str, str], files: StartFiles) -> NativeRunning:
        """Start it with the log file as its output. Raises ``LaunchFailed`` with the meaning of the errno."""
        become_subreaper()
        argv = with_secret_files(spec, secrets, files.instance_dir)
        mark = os.urandom(16).hex()
        env = environment(self._base, spec, secrets)
        env[native_tree.MARK] = mark
        pid, leaf = native_limits.start(argv, env, spec, files, mark)
        pidfd = os.pidfd_open(pid)
        return NativeRunning(process_id.identify(pid, pidfd, mark), pidfd, spec, env, leaf, own=True)

    def adopt(self, ref: InstanceRef, spec: LaunchSpec, *, files: StartFiles) -> NativeRunning | None:
        """
        Take over the process of ``ref`` if it still is that process.

        When main is gone but some of its tree is proven alive, that is taken over with its end already told.
        """
        become_subreaper()
        known = process_id.parse(ref.id, ref.token)
        if known is None or known.boot != boot_id():
            return None  # of another boot nothing lives
        pidfd = process_id.open_verified(known)
        leaf = noted(files.instance_dir)
        running = NativeRunning(known, pidfd, spec, environment(self._base, spec, {}), leaf, own=False)
        if pidfd is None and not running.leftovers():
            running.close()
            return None
        return running


def become_subreaper() -> None:
    """Have orphans of our descendants come to us."""
    # The bare module: the package around it costs every supervisor a quarter of a megabyte.
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
    _ctypes.call_function(prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


class NativeRunning:
    """A process tree of ours."""

    def __init__(
        self, known: ProcessId, pidfd: int | None, spec: LaunchSpec, env: dict[str, str], leaf: Leaf, *, own: bool
    ) -> None:
        self._leaf = leaf
        self._id, self._pidfd, self._spec, self._env, self._own = known, pidfd, spec, env, own
        self._exit: ExitStatus | None = None
        self._asked, self._insisted = False, False
        self._asked_leftovers: set[tuple[int, int]] = set()
        self._kills, self._kill_seen = 0, float("-inf")
        self._count_at = 0.0
        self._probe: _Probe | None = None
        self._open_sockets = OpenSockets()
        self._statuses: dict[int, int] = {}
        self._traces = native_tree.Traces(known, proven=pidfd is not None)
        self._epoll = select.epoll()
        self.enforcement = native_limits.enforcement(spec.limits, leaf.kept)
        self.container_id: str | None = None
        self.image: str | None = None
        if pidfd is not None:
            self._epoll.register(pidfd, select.EPOLLIN)
        else:
            self._main_gone(ExitStatus(None, None, None, "nobody saw it"))

    @property
    def pid(self) -> int | None:
        return self._id.pid

    @property
    def ref(self) -> InstanceRef:
        return InstanceRef("native", str(self._id.pid), self._id.token)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def tend(self) -> None:
        """Reap whatever ended, of ours and of what was re-parented to us."""
        self._statuses.update(native_tree.reap())
        if self._probe is not None and self._probe.pid in self._statuses:
            self._probe.code = os.waitstatus_to_exitcode(self._statuses.pop(self._probe.pid))
        status = self._statuses.pop(self._id.pid, None)
        self._statuses.clear()
        if self._exit is not None:
            return
        if time.monotonic() >= self._count_at:
            self._count_at = time.monotonic() + _COUNT_EVERY
            self._count_kills()
        if status is not None:
            self._main_gone(process_id.exit_status(status, "reaped by the supervisor"))
        elif self._pidfd is not None and process_id.ended(self._pidfd) and not self._awaits_reaping():
            self._main_gone(process_id.exit_of_stranger(self._pidfd, self._id.pid, self._id.ticks))

    def _awaits_reaping(self) -> bool:
        """It ended after we looked and is our child: its status comes with the next look."""
        return self._own and read_process(self._id.pid) is not None

    def _count_kills(self) -> Killed | None:
        """Ask the kernel how many of it were killed for memory, and remember when there was one more."""
        killed = self._leaf.killed()
        if killed is not None and killed.number > self._kills:
            self._kills, self._kill_seen = killed.number, time.monotonic()
        return killed

    def _main_gone(self, status: ExitStatus) -> None:
        killed = self._count_kills()
        self._exit = native_limits.judged(
            status, killed, insisted=self._insisted, asked_to_stop=self._asked,
            lately=time.monotonic() - self._kill_seen < _SHORTLY, limit=self._spec.limits.memory,
        )  # fmt: skip
        self._traces.main_ended()
        if self._pidfd is not None:
            self._epoll.unregister(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def exit(self) -> ExitStatus | None:
        if self._exit is None:
            self.tend()
        return self._exit

    def ask_to_stop(self, signal: str) -> None:
        if self._asked or self._pidfd is None:
            return
        self._asked = True
        process_id.send(self._pidfd, _number(signal))
        process_id.send(self._pidfd, _number("SIGCONT"))  # a stopped process would never see the other one

    def ask_leftovers(self) -> bool:
        living = {(process.pid, process.ticks) for process in self._tree().values()}
        living.discard((self._id.pid, self._id.ticks))
        for pid, ticks in living - self._asked_leftovers:
            # A stopped process would never see the first one.
            process_id.kill(pid, ticks, _number("SIGTERM"), _number("SIGCONT"))
        self._asked_leftovers |= living
        return bool(living)

    def insist(self) -> None:
        # One pass is not enough against something that forks meanwhile; passes until nothing is found are.
        until = time.monotonic() + _ONE_INSISTENCE
        self._insisted = self._insisted or self._exit is None
        self._leaf.kill()
        while True:
            targets = self._targets()
            for process in targets:
                process_id.kill(process.pid, process.ticks)
            self.tend()
            if not targets or time.monotonic() >= until:
                return

    def _targets(self) -> list[Proc]:
        if self._own:
            return [*native_tree.brood(), *self._members().values()]
        probe = read_process(self._probe.pid) if self._probe is not None else None
        return [*(self._traces.alive() | self._members()).values(), *([probe] if probe else [])]

    def _tree(self) -> dict[int, Proc]:
        """Everything alive of it, by pid, except a probe of ours that is under way."""
        found = (native_tree.household() if self._own else self._traces.alive()) | self._members()
        if self._probe is not None and self._probe.pid in found:
            for pid in native_tree.descendants([found[self._probe.pid]]):
                found.pop(pid, None)
        return found

    def _members(self) -> dict[int, Proc]:
        """What is in the control group: also what hid from descent, session and mark."""
        return {pid: process for pid, process in self._leaf.members().items() if native_tree.is_alive(process)}

    def _measured(self) -> dict[int, Proc]:
        """The tree, by the cheaper way where there are two: a stranger's tree costs a look at every process."""
        return (not self._own and self._members()) or self._tree()

    def leftovers(self) -> tuple[Leftover, ...]:
        self.tend()
        return tuple(
            Leftover(process.pid, process.name, _why_alive(process))
            for process in self._tree().values()
            if (process.pid, process.ticks) != (self._id.pid, self._id.ticks)
        )

    def usage(self) -> Usage:
        usage, cpu = measure(self._measured().values()), self._leaf.cpu_seconds()
        return usage if cpu is None else usage._replace(cpu_seconds=cpu)

    def progress(self) -> int:
        return sum(process.cpu_ticks + bytes_read(process.pid) for process in self._measured().values())

    def tasks(self) -> int:
        return sum(process.threads for process in self._measured().values())

    def killed_for_memory(self) -> int:
        return self._kills

    def owns_listener(self, port: int) -> bool | None:
        return owned_by(self._pids(), sockets.answering(port))

    def owns_connection(self, port: int, client: int) -> bool | None:
        return owned_by(self._pids(), sockets.answering(port, client))

    def open_listeners(self) -> tuple[OpenListener, ...]:
        return self._open_sockets.look(lambda: self._measured().values())

    def _pids(self) -> Iterator[int]:
        """The tree, main first: mostly it is the one, and the others need not be looked for."""
        if self._exit is None:
            yield self._id.pid
        yield from self._tree()

    def engine_health(self) -> Health | None:
        return None

    def out_of_touch(self) -> str | None:
        return None

    def run_probe(self, argv: tuple[str, ...], timeout: float) -> int | None:
        if self._probe is None:
            self._probe = _Probe(argv, self._env, timeout)
        self.tend()
        code = self._probe.answer()
        if code is not None:
            self._probe = None
        return code

    def close(self) -> None:
        self.tend()
        self._leaf.remove()
        self._epoll.close()


class _Probe:
    """A command under way, in a session of its own so that all of it can be ended."""

    def __init__(self, argv: tuple[str, ...], env: dict[str, str], timeout: float) -> None:
        self.code: int | None = None
        self._deadline = time.monotonic() + timeout
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
            defaults = [getattr(signal, name) for name in RESTORED_SIGNALS]
            self.pid = os.posix_spawnp(
                argv[0], argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=defaults
            )
        finally:
            os.close(null)

    def answer(self) -> int | None:
        if self.code is None and time.monotonic() >= self._deadline:
            process = read_process(self.pid)
            for each in native_tree.descendants([process] if process else []).values():
                process_id.kill(each.pid, each.ticks)
            os.waitpid(self.pid, 0)  # our own unreaped child: the number cannot mean anybody else
            self.code = _PROBE_TIMED_OUT
        return self.code


def _number(name: str) -> int:
    return int(getattr(signal, name))


def _why_alive(process: Proc) -> str:
    if process.state != "D":
        return "alive"
    try:
        with open(f"/proc/{process.pid}/wchan") as file:
            return f"in uninterruptible sleep ({file.read().strip() or 'unknown'})"
    except OSError:
        return "in uninterruptible sleep"
