"""
The promise every backend keeps. Its tests have the same sentences as names (``las_jupyter.testing``).

A backend runs inside the supervisor's single thread: no call here may block for longer than a few
milliseconds once the module runs (``launch`` may take what the engine takes). A backend whose engine blocks
asks it in a thread of its own and answers from what that thread last saw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Fetching, Health, Leftover, Usage

Meanwhile = Callable[[Fetching | None], bool]
"""
What a backend calls, in the thread of ``launch`` and several times a second, as long as it fetches what it needs.

It serves whoever asks the supervisor, waits for a moment, and answers False once the start is to be given up.
"""


class InstanceRef(NamedTuple):
    """
    Enough to find the running thing again after the supervisor died.

    ``token`` tells a reused process id or container name from ours: for native the boot id, the start time in
    clock ticks and the pidfd inode where the kernel has one; for a container its full id and our label.
    """

    backend: str
    id: str
    token: str


class ExitStatus(NamedTuple):
    """
    How the main process ended, as far as the backend knows: ``code``, or ``signal`` (a name), or neither when
    nobody saw it. ``oom`` None: cannot be known. ``evidence`` says where it is known from.
    ``oom_limit`` is the memory limit in bytes it was killed at, None when it reached none. ``cause`` is a clause that
    says who ended it, where that is known.
    """

    code: int | None = None
    signal: str | None = None
    oom: bool | None = None
    evidence: str = ""
    oom_limit: int | None = None
    cause: str = ""


class Unavailable(NamedTuple):
    """Why a backend cannot be used now, as a sentence, and the command that cures it."""

    reason: str
    remedy: str = ""


class StartFiles(NamedTuple):
    """
    Where one start keeps its things. ``log_fd`` is open with O_APPEND; native children get it as fds 1 and 2,
    a container's collector writes the module's bytes to it. ``known`` is told of a process before its
    first instruction, so that no death of a supervisor leaves a module nobody knows.
    """

    instance_dir: str
    log_path: str
    log_fd: int
    generation: int
    state_dir: str = ""
    meanwhile: Meanwhile | None = None
    known: Callable[[InstanceRef], None] | None = None


class OpenListener(NamedTuple):
    """A socket of a module that other machines may reach, and which process has it; ``text`` is as ``0.0.0.0:8080``."""

    text: str
    port: int
    name: str
    pid: int


class Running(Protocol):
    """One started module. All methods may be called in any order, also after its end."""

    @property
    def ref(self) -> InstanceRef:
        """How to find it again."""

    @property
    def pid(self) -> int | None:
        """The main process as this machine numbers it, or None where the engine does not tell."""

    @property
    def container_id(self) -> str | None:
        """The engine's id, or None for native."""

    @property
    def image(self) -> str | None:
        """What a container was made of, as ``repository@sha256:…`` or an image's id; None for native."""

    @property
    def enforcement(self) -> dict[str, str]:
        """For each limit asked for: how it is kept."""

    def fileno(self) -> int:
        """A descriptor that polls readable when ``exit`` has an answer, or when something else wants ``tend``."""

    def tend(self) -> None:
        """Let the backend do what is due: reap, read the engine's answers. Called when ``fileno`` is readable."""

    def exit(self) -> ExitStatus | None:
        """The main process's end, or None while it runs. The same answer for ever after."""

    def ask_to_stop(self, signal: str) -> None:
        """Send ``signal`` once to the main process (and wake it if it is stopped). Asking twice sends once."""

    def ask_leftovers(self) -> bool:
        """After the main process's end, send TERM once to each process it left; whether there are any to wait for."""

    def insist(self) -> None:
        """KILL everything that belongs to it, never anything else. May be called again and again."""

    def leftovers(self) -> tuple[Leftover, ...]:
        """What is alive of it besides the main process; after the main's end, what must still go."""

    def usage(self) -> Usage:
        """CPU and memory of the whole tree now."""

    def progress(self) -> int:
        """A number that grows while the module does something (CPU ticks + bytes read): for stall detection."""

    def tasks(self) -> int:
        """Processes and threads of the whole tree now; 0 where nobody can tell."""

    def killed_for_memory(self) -> int:
        """How many of its processes the kernel has killed for memory so far; 0 where nobody can tell."""

    def owns_listener(self, port: int) -> bool | None:
        """
        Whether the socket that answers on 127.0.0.1:``port`` is of this tree; None when nobody answers, or it cannot
        be told.
        """

    def owns_connection(self, port: int, client: int) -> bool | None:
        """
        The same of the other end of the connection that we have from 127.0.0.1:``client``: what is sent there, is it
        sent to this tree? This and the others about sockets raise ``OSError`` when nobody can be asked now.
        """

    def open_listeners(self) -> tuple[OpenListener, ...]:
        """
        What of this tree listens where other machines may reach it, whatever port that is; empty where nobody can
        tell, or where a network of its own keeps the module from them.
        """

    def engine_health(self) -> Health | None:
        """What the engine says of it where no probe is declared, or None where there is no engine to say it."""

    def out_of_touch(self) -> str | None:
        """A clause saying that its engine does not answer now, so that a no may be the engine's and not its own."""

    def run_probe(self, argv: tuple[str, ...], timeout: float) -> int | None:
        """
        Begin or continue the command probe ``argv`` where the module runs, without blocking.

        Returns its exit code once known, None while it still runs; raises ``OSError`` when it cannot be asked.
        A probe that outlives ``timeout`` is ended and answers 124.
        """

    def close(self) -> None:
        """Give back what the engine still holds (container, cgroup). Called after everything is gone."""


class Backend(Protocol):
    """Runs launch specs somewhere."""

    @property
    def name(self) -> str:
        """``native``, ``docker``, ``podman``, …"""

    def why_unavailable(self) -> Unavailable | None:
        """None when it can be used now; otherwise the reason and the cure. Answers within two seconds."""

    def launch(self, spec: LaunchSpec, *, secrets: dict[str, str], files: StartFiles) -> Running:
        """
        Start the module and return at once after its first instruction, or raise ``LaunchFailed``.

        After a failure nothing is left behind: no process, no container, no file outside ``files``.
        """

    def adopt(self, ref: InstanceRef, spec: LaunchSpec, *, files: StartFiles) -> Running | None:
        """Take over what ``ref`` names without disturbing it; None when it is gone or is not ours."""
