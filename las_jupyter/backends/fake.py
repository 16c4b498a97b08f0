"""
A backend that runs nothing and keeps every promise: for tests of whatever stands above backends.

What a fake module does is said by the words of its argv: ``says:TEXT``, ``ends:CODE``, ``deaf`` (no signal ends it),
``leaves:N`` (N processes outlive its main one), ``opens:PORT`` (to the network), ``counts`` (a second stop signal
makes it end with 99), ``missing`` (there is no such program). Without words it idles until it is asked to stop.
"""

from __future__ import annotations

import errno
import os
import threading
import time

from las_jupyter.core.backend import ExitStatus, InstanceRef, OpenListener, StartFiles, Unavailable
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Health, Leftover, Usage
from las_jupyter.limits import sockets

_PROBES = {"true": 0, "false": 1}
_TIMED_OUT = 124
_SOON = 0.05


class FakeBackend:
    """Keeps its modules in this process; ``world`` are those that run, by id."""

    name = "fake"
    world: dict[str, _Module] = {}
    _numbers = iter(range(1, 2**31))

    def why_unavailable(self) -> Unavailable | None:
        """Never."""
        return None

    def launch(self, spec: LaunchSpec, *, secrets: dict[str, str], files: StartFiles) -> FakeRunning:
        """Begin to pretend."""
        if "missing" in spec.argv:
            raise LaunchFailed(f"{spec.name} could not be started.", cause=f"{spec.argv[0]}: {os.strerror(2)}")
        module = _Module(str(next(self._numbers)), spec, os.dup(files.log_fd))
        self.world[module.id] = module
        module.begin()
        return FakeRunning(module)

    def adopt(self, ref: InstanceRef, spec: LaunchSpec, *, files: StartFiles) -> FakeRunning | None:
        """Find it again by number and token."""
        module = self.world.get(ref.id)
        if module is None or module.token != ref.token or module.gone:
            return None
        return FakeRunning(module)


class _Module:
    def __init__(self, number: str, spec: LaunchSpec, log_fd: int) -> None:
        self.id, self.spec, self.token = number, spec, os.urandom(8).hex()
        self.words = dict(word.partition(":")[::2] for word in spec.argv)
        self.exit: ExitStatus | None = None
        self.signals: list[str] = []
        self.left = 0
        self.began = time.monotonic()
        self._log_fd = log_fd
        self._lock = threading.Lock()
        self._listeners: list[int] = []

    @property
    def gone(self) -> bool:
        return self.exit is not None and self.left == 0

    def begin(self) -> None:
        if "says" in self.words:
            os.write(self._log_fd, self.words["says"].encode() + b"\n")
        if "ends" in self.words:
            self._later(ExitStatus(int(self.words["ends"]), evidence="pretended"))

    def signal(self, name: str) -> None:
        self.signals.append(name)
        if "counts" in self.words:
            self._later(ExitStatus(0 if len(self.signals) == 1 else 99, evidence="pretended"))
        elif "deaf" not in self.words:
            self.end(ExitStatus(None, name, False, "pretended"))

    def _later(self, status: ExitStatus) -> None:
        timer = threading.Timer(_SOON, self.end, (status,))
        timer.daemon = True
        timer.start()

    def end(self, status: ExitStatus) -> None:
        with self._lock:
            if self.exit is not None:
                return
            self.left = int(self.words.get("leaves", "0"))
            self.exit = status
            os.close(self._log_fd)
            for fd in self._listeners:
                os.eventfd_write(fd, 1)

    def listen(self) -> int:
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        with self._lock:
            self._listeners.append(fd)
            if self.exit is not None:
                os.eventfd_write(fd, 1)
        return fd

    def unlisten(self, fd: int) -> None:
        with self._lock:
            if fd in self._listeners:
                self._listeners.remove(fd)
                os.close(fd)


class FakeRunning:
    """One pretended module."""

    def __init__(self, module: _Module) -> None:
        self._module = module
        self._fd = module.listen()
        self._asked = False
        self._probe: tuple[float, int] | None = None
        self.enforcement: dict[str, str] = {"memory": "none"} if module.spec.limits.memory else {}
        self.pid: int | None = None
        self.container_id: str | None = module.id
        self.image: str | None = None

    @property
    def ref(self) -> InstanceRef:
        return InstanceRef("fake", self._module.id, self._module.token)

    def fileno(self) -> int:
        return self._fd

    def tend(self) -> None:
        """Nothing is ever due."""

    def exit(self) -> ExitStatus | None:
        return self._module.exit

    def ask_to_stop(self, signal: str) -> None:
        if not self._asked and self._module.exit is None:
            self._asked = True
            self._module.signal(signal)

    def ask_leftovers(self) -> bool:
        return False

    def insist(self) -> None:
        self._module.end(ExitStatus(None, "SIGKILL", False, "pretended"))
        self._module.left = 0

    def leftovers(self) -> tuple[Leftover, ...]:
        return tuple(Leftover(number, "worker", "alive") for number in range(self._module.left))

    def usage(self) -> Usage:
        alive = 0 if self._module.exit else 1
        return Usage(time.monotonic() - self._module.began, 2**20 * alive, alive, None, "pretended", time.time())

    def progress(self) -> int:
        return int((time.monotonic() - self._module.began) * 1000)

    def tasks(self) -> int:
        return 0

    def killed_for_memory(self) -> int:
        return 0

    def owns_listener(self, port: int) -> bool | None:
        return self.owns_connection(port, 0)

    def owns_connection(self, port: int, client: int) -> bool | None:
        """What is pretended has no sockets: whoever answers is somebody else."""
        return None if sockets.answering(port, client) is None else False

    def open_listeners(self) -> tuple[OpenListener, ...]:
        port = int(self._module.words.get("opens", "0"))
        return (OpenListener(f"0.0.0.0:{port}", port, "fake", 1),) if port else ()

    def out_of_touch(self) -> str | None:
        return None

    def engine_health(self) -> Health | None:
        return None

    def run_probe(self, argv: tuple[str, ...], timeout: float) -> int | None:
        if self._probe is None:
            if argv[0] not in (*_PROBES, "sleep", "exit"):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
            code = int(argv[1]) if argv[0] == "exit" else _PROBES.get(argv[0], _TIMED_OUT)
            self._probe = (time.monotonic() + (timeout if argv[0] == "sleep" else 0.0), code)
        at, code = self._probe
        if time.monotonic() < at:
            return None
        self._probe = None
        return code

    def close(self) -> None:
        self._module.unlisten(self._fd)
