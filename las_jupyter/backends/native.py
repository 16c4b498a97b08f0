"""
Direct execution: the module is a child of the supervisor, in a session of its own.

The supervisor is the sub-reaper, so whatever forks twice comes back to it and is found. A signal goes through a pidfd
whose start time was compared, never to a bare number.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import time

from las_jupyter.backends.environment import environment
from las_jupyter.core.backend import ExitStatus, InstanceRef, StartFiles, Unavailable
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Health, Leftover, Usage
from las_jupyter.limits.tree import Proc, boot_id, members, read_process
from las_jupyter.limits.usage import bytes_read, measure

_PR_SET_CHILD_SUBREAPER = 36
_PIDFD_GET_INFO = 0xC048FF0B  # _IOWR(0xFF, 11, 72 bytes): Linux 6.13, exit code from 6.15
_PIDFD_INFO_EXIT = 1 << 3
_OOM_SCORE_RAISED = 300


class NativeBackend:
    """Runs a spec's argv on this machine."""

    name = "native"

    def __init__(self) -> None:
        self._base = dict(os.environ)

    def why_unavailable(self) -> Unavailable | None:
        """Native execution needs Linux: process descriptors and ``/proc``."""
        if not hasattr(os, "pidfd_open"):
            return Unavailable("native execution needs Linux with process descriptors", "use --mode container")
        return None

    def launch(self, spec: LaunchSpec, *, secrets: dict[str, str], files: StartFiles) -> NativeRunning:
        """Start it with the log file as its output. Raises ``LaunchFailed`` naming the errno's meaning."""
        become_subreaper()
        argv = _with_secret_files(spec, secrets, files)
        env = environment(self._base, spec, secrets)
        pid = _start(argv, env, spec, files.log_fd)
        return NativeRunning(pid, spec, own=True)

    def adopt(self, ref: InstanceRef, spec: LaunchSpec, *, files: StartFiles) -> NativeRunning | None:
        """Take over the process of ``ref`` if it still is that process."""
        become_subreaper()
        process = read_process(int(ref.id)) if ref.id.isdigit() and int(ref.id) > 1 else None
        if process is None or _token(process) != ref.token:
            return None
        return NativeRunning(process.pid, spec, own=False)


def become_subreaper() -> None:
    """Have orphans of our descendants come to us."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _token(process: Proc) -> str:
    return f"{boot_id()}:{process.ticks}"


def _with_secret_files(spec: LaunchSpec, secrets: dict[str, str], files: StartFiles) -> list[str]:
    argv = list(spec.argv)
    for use in spec.secrets:
        mark = f"{{secret_file:{use.name}}}"
        if not any(mark in word for word in argv):
            continue
        path = os.path.join(files.instance_dir, f"secret-{use.name}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, 0o600)
        os.write(fd, secrets[use.name].encode() + b"\n")
        os.close(fd)
        argv = [word.replace(mark, path) for word in argv]
    return argv


def _start(argv: list[str], env: dict[str, str], spec: LaunchSpec, log_fd: int) -> int:
    """Fork and exec; the pipe tells whether exec worked: it closes by itself when it did."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _become(argv, env, spec, log_fd)
        except OSError as error:
            os.write(tell, struct.pack("i", error.errno or errno.EIO))
        finally:
            os._exit(127)
    os.close(tell)
    data = os.read(told, 4)
    os.close(told)
    if data:
        os.waitpid(pid, 0)
        raise _launch_failed(spec, argv[0], struct.unpack("i", data)[0])
    return pid


def _become(argv: list[str], env: dict[str, str], spec: LaunchSpec, log_fd: int) -> None:
    """In the child: everything that must hold before the module's first instruction."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = spec.limits.nofile or hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    try:
        # The kernel must rather take the server than the supervisor that has to tell of it.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(_OOM_SCORE_RAISED))
    except OSError:
        pass
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o077)
    if spec.cwd:
        os.chdir(spec.cwd)
    os.execvpe(argv[0], argv, env)


def _launch_failed(spec: LaunchSpec, program: str, number: int) -> LaunchFailed:
    cause = f"{program}: {os.strerror(number)}"
    remedy = {
        errno.ENOENT: "%las doctor says which engines are installed",
        errno.EACCES: f"chmod +x {program}",
        errno.ENOEXEC: "this is no program for this machine; install one that is",
        errno.E2BIG: "the arguments and the environment are too large together",
    }.get(number)
    return LaunchFailed(f"{spec.name} could not be started.", cause=cause, remedy=remedy)


class NativeRunning:
    """A process tree of ours."""

    def __init__(self, pid: int, spec: LaunchSpec, *, own: bool) -> None:
        self._pid = pid
        self._own = own
        self._pidfd = os.pidfd_open(pid)
        process = read_process(pid)
        self._ticks = process.ticks if process else 0
        self._exit: ExitStatus | None = None
        self._asked = False
        self._probe: tuple[int, float] | None = None
        self._probe_code: int | None = None
        self.enforcement: dict[str, str] = {"memory": "watched"} if spec.limits.memory else {}
        self.container_id: str | None = None

    @property
    def pid(self) -> int | None:
        return self._pid

    @property
    def ref(self) -> InstanceRef:
        return InstanceRef("native", str(self._pid), f"{boot_id()}:{self._ticks}")

    def fileno(self) -> int:
        return self._pidfd

    def tend(self) -> None:
        """Reap whatever ended, of ours and of what was re-parented to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._pid:
                self._exit = _exit_status(status, "reaped by the supervisor")
            elif self._probe and pid == self._probe[0]:
                self._probe_code = os.waitstatus_to_exitcode(status)
        if self._exit is None and not self._own and _gone(self._pidfd):
            self._exit = _exit_of_stranger(self._pidfd)

    def exit(self) -> ExitStatus | None:
        if self._exit is None:
            self.tend()
        return self._exit

    def ask_to_stop(self, signal: str) -> None:
        if self._asked or self._exit is not None:
            return
        self._asked = True
        self._send(self._pidfd, _number(signal))
        self._send(self._pidfd, _number("SIGCONT"))  # a stopped process would never see the other one

    def insist(self) -> None:
        for process in members(self._pid, os.getpid()):
            try:
                fd = os.pidfd_open(process.pid)
            except OSError:
                continue
            try:
                now = read_process(process.pid)
                if now is not None and now.ticks == process.ticks:
                    self._send(fd, signal.SIGKILL)
            finally:
                os.close(fd)
        self.tend()

    @staticmethod
    def _send(fd: int, number: int) -> None:
        try:
            signal.pidfd_send_signal(fd, number)
        except ProcessLookupError:
            pass

    def leftovers(self) -> tuple[Leftover, ...]:
        self.tend()
        return tuple(
            Leftover(process.pid, process.name, "in uninterruptible sleep" if process.state == "D" else "alive")
            for process in members(self._pid, os.getpid())
            if not (process.pid == self._pid and process.ticks == self._ticks)
        )

    def usage(self) -> Usage:
        return measure(members(self._pid, os.getpid()))

    def progress(self) -> int:
        return sum(process.cpu_ticks + bytes_read(process.pid) for process in members(self._pid, os.getpid()))

    def owns_listener(self, port: int) -> bool | None:
        inodes = _listeners(port)
        if not inodes:
            return None
        for process in members(self._pid, os.getpid()):
            folder = f"/proc/{process.pid}/fd"
            try:
                links = [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)]
            except OSError:
                continue
            if any(link.startswith("socket:[") and link[8:-1] in inodes for link in links):
                return True
        return False

    def engine_health(self) -> Health | None:
        return None

    def run_probe(self, argv: tuple[str, ...], timeout: float) -> int | None:
        if self._probe is None:
            self._probe_code = None
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
            pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
            os.close(null)
            self._probe = (pid, time.monotonic() + timeout)
        self.tend()
        pid, deadline = self._probe
        if self._probe_code is None and time.monotonic() < deadline:
            return None
        if self._probe_code is None:
            os.kill(pid, signal.SIGKILL)  # our own unreaped child: the number cannot mean anybody else
            os.waitpid(pid, 0)
            self._probe_code = 124
        self._probe = None
        return self._probe_code

    def close(self) -> None:
        self.tend()


def _number(name: str) -> int:
    return int(getattr(signal, name))


def _exit_status(status: int, evidence: str) -> ExitStatus:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return ExitStatus(code, None, False, evidence)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return ExitStatus(None, name, None, evidence)


def _gone(pidfd: int) -> bool:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _exit_of_stranger(pidfd: int) -> ExitStatus:
    """The exit of a process that is not our child: the kernel tells it from 6.15 on, else nobody saw it."""
    import fcntl

    buffer = bytearray(struct.pack("Q", _PIDFD_INFO_EXIT).ljust(72, b"\0"))
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        try:
            fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
        except OSError:
            break
        if struct.unpack_from("Q", buffer)[0] & _PIDFD_INFO_EXIT:
            return _exit_status(struct.unpack_from("i", buffer, 60)[0], "told by the kernel after the fact")
        time.sleep(0.01)  # dead, not yet reaped by its parent
    return ExitStatus(None, None, None, "nobody saw it")


def _listeners(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        found |= {row[9] for row in rows if row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port}
    return found
