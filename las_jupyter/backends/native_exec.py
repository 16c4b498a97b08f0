"""From a spec to a child process: everything that must hold before the module's first instruction."""

from __future__ import annotations

import errno
import os
import resource
import signal
import struct

from las_jupyter.backends import process_id
from las_jupyter.backends.native_tree import MARK
from las_jupyter.core.advice import word
from las_jupyter.core.backend import InstanceRef, StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import LaunchSpec

_OOM_SCORE_RAISED = 300
RESTORED_SIGNALS = ("SIGPIPE", "SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD", "SIGXFSZ", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FORKING, _FOLDER, _PROGRAM, _ENTERING = 0, 1, 2, 3


class CannotEnter(Exception):
    """The new process was not let into entrance number ``which`` of those it was given; nothing was started."""

    def __init__(self, which: int) -> None:
        super().__init__(which)
        self.which = which


def with_secret_files(spec: LaunchSpec, secrets: dict[str, str], instance_dir: str) -> list[str]:
    """``spec.argv`` with the paths of the secret files, written here with mode 0600."""
    argv = list(spec.argv)
    for use in spec.secrets:
        mark = f"{{secret_file:{use.name}}}"
        if not use.file and not any(mark in word for word in argv):
            continue
        if use.name not in secrets:
            raise LaunchFailed(f"{spec.name} could not be started.", cause=f"its secret {use.name} is missing")
        path = os.path.join(instance_dir, f"secret-{use.name}")
        _write_secret(path, secrets[use.name])
        argv = [word.replace(mark, path) for word in argv]
    return argv


def _write_secret(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        os.write(fd, value.encode() + b"\n")
    finally:
        os.close(fd)


def start(
    argv: list[str], env: dict[str, str], spec: LaunchSpec, files: StartFiles, join: tuple[str, ...] = ()
) -> int:  # fmt: skip
    """
    Fork and exec; the new process leads a session of its own. Raises ``LaunchFailed`` naming what was wrong.

    The child waits until ``files.known`` was told of it, and ends when we die before that.

    ``join`` are the ``cgroup.procs`` the child writes itself into before it becomes the module (``CannotEnter`` when it
    may not). The pipe tells whether exec worked: it closes by itself when it did.
    """
    pipes: list[int] = []
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        pid = os.fork()
    except OSError as error:
        for fd in pipes:
            os.close(fd)
        raise _failed(spec, _FORKING, argv[0], error.errno or 0) from error
    told, tell, wait, go = pipes
    if pid == 0:
        os.close(go)
        if not os.read(wait, 1):
            os._exit(127)  # whoever forked us died, and nobody knows of us
        _child(argv, env, spec, files.log_fd, join, tell)
    os.close(tell)
    os.close(wait)
    try:
        _make_known(pid, env, files)
        os.write(go, b"g")
        data = os.read(told, 8)
    except BaseException:
        os.kill(pid, signal.SIGKILL)  # our own unreaped child
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(go)
        os.close(told)
    if data:
        os.waitpid(pid, 0)
        step, number = struct.unpack("ii", data)
        if step >= _ENTERING:
            raise CannotEnter(step - _ENTERING)
        raise _failed(spec, step, argv[0], number)
    return pid


def _make_known(pid: int, env: dict[str, str], files: StartFiles) -> None:
    if files.known is None:
        return
    pidfd = os.pidfd_open(pid)
    try:
        known = process_id.identify(pid, pidfd, env.get(MARK, ""))
    finally:
        os.close(pidfd)
    files.known(InstanceRef("native", str(pid), known.token))


def _child(
    argv: list[str], env: dict[str, str], spec: LaunchSpec, log_fd: int, join: tuple[str, ...], tell: int
) -> None:  # fmt: skip
    step = _FORKING
    try:
        os.setsid()
        _redirect(log_fd)
        _bound(spec)
        for number, path in enumerate(join):
            step = _ENTERING + number
            _enter(path)
        step = _FORKING
        for name in RESTORED_SIGNALS:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        step = _FOLDER
        os.chdir(spec.cwd or "/")
        step = _PROGRAM
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        os.write(tell, struct.pack("ii", step, error.errno or errno.EIO))
    except BaseException:
        os.write(tell, struct.pack("ii", step, errno.EINVAL))
    os._exit(127)


def _redirect(log_fd: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)


def _bound(spec: LaunchSpec) -> None:
    # A core file of a 40 GB server fills the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = spec.limits.nofile or hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    try:
        # Out of memory, the kernel must rather take the server than the supervisor that has to tell of it.
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"%d" % _OOM_SCORE_RAISED)
        os.close(fd)
    except OSError:
        pass


def _enter(group: str) -> None:
    fd = os.open(group, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, b"0")
    os.close(fd)


def _failed(spec: LaunchSpec, step: int, program: str, number: int) -> LaunchFailed:
    message = f"{spec.name} could not be started."
    meaning = os.strerror(number)
    if step == _FORKING:
        return LaunchFailed(message, cause=f"no process could be made for it: {meaning}", remedy="%las status")
    if step == _FOLDER:
        return LaunchFailed(message, cause=f"its folder {spec.cwd}: {meaning}", remedy=f"mkdir -p {word(spec.cwd)}")
    remedy = {
        errno.ENOENT: "%las doctor says which engines are installed",
        errno.EACCES: f"chmod +x {word(program)}",
        errno.ENOEXEC: "this is no program for this machine; install one that is",
        errno.E2BIG: "the arguments and the environment are too large together",
    }.get(number)
    if number == errno.ENOENT and os.path.exists(program):
        meaning, remedy = "the interpreter named in its first line is missing", f"head -1 {word(program)}"
    return LaunchFailed(message, cause=f"{program}: {meaning}", remedy=remedy)
