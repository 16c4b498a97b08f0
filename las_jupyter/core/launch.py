"""
The launch spec: an instance fully decided, so that a backend asks nobody else.

Planning writes it, the supervisor reads it; between them it is the JSON file ``spec.json``. It holds no
secret: a secret is named here and its value lies in ``secrets.json`` beside it (mode 0600).
"""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.core.states import Lifetime, LogCapture, Mode, RestartPolicy, Trust

SPEC_FORMAT = 1
"""Raised when an older supervisor could not carry out a newer spec."""


class Decision(NamedTuple):
    """
    One thing that was decided, what was chosen, and why; ``passed_over`` says why the others lost.

    ``override``: the user insisted on what would have been refused. It is told in the journal of the instance.
    """

    subject: str
    choice: str
    reason: str
    passed_over: dict[str, str] = {}
    override: bool = False


class Port(NamedTuple):
    """
    A port of the module: ``host`` is what clients on 127.0.0.1 use, ``inner`` is the port inside a container.

    ``scheme`` is how an address of it begins.
    """

    name: str
    host: int
    inner: int
    scheme: str = "http"


class Mount(NamedTuple):
    """A path of this machine shown inside a container; for native execution only a record."""

    source: str
    target: str
    writable: bool = False


class SecretUse(NamedTuple):
    """
    Where a generated secret goes: into the environment under ``env``, and/or into a 0600 file.

    The file's path stands in argv as ``{secret_file:NAME}`` and is filled in by the backend.
    """

    name: str
    env: str | None = None
    file: bool = False


class Gpus(NamedTuple):
    """GPUs this instance may see. Without ids none is visible: native hides them, a container gets none."""

    ids: tuple[str, ...] = ()
    vendor: str | None = None


WATCHED_EVERY = {"memory": 2.0, "pids": 5.0}
"""Seconds between two looks of a supervisor at a limit that nobody else keeps."""


class Limits(NamedTuple):
    """Upper bounds; ``None`` means none was asked for. Sizes in bytes, ``cpus`` in cores."""

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    nofile: int | None = None
    shm: int | None = None


class HttpProbe(NamedTuple):
    """GET ``path`` on 127.0.0.1: ``ok`` codes mean yes, ``loading`` codes mean not yet, all else no."""

    port: str = "http"
    path: str = "/"
    ok: tuple[int, ...] = (200,)
    loading: tuple[int, ...] = ()
    kind: str = "http"


class TcpProbe(NamedTuple):
    """A connection to the port on 127.0.0.1 is accepted."""

    port: str
    kind: str = "tcp"


class CommandProbe(NamedTuple):
    """A command, run where the module runs, ends with 0."""

    argv: tuple[str, ...]
    kind: str = "command"


class LogProbe(NamedTuple):
    """A line of the log of this start matches the regular expression ``pattern``."""

    pattern: str
    kind: str = "log"


Probe = HttpProbe | TcpProbe | CommandProbe | LogProbe


class ReadyRule(NamedTuple):
    """
    When a starting instance counts as ready.

    ``stall`` is the longest silence, in seconds, in which neither the log, nor the CPU time, nor the bytes read
    advanced; ``limit`` is the longest start at all, or None. ``every`` is the pause between two questions.
    """

    probe: Probe | None = None
    stall: float = 120.0
    limit: float | None = None
    every: float = 0.05
    timeout: float = 5.0


class Progress(NamedTuple):
    """
    Liveness that looks at work done: while ``busy`` is above 0, ``counter`` must move within ``stuck_after`` s.

    Both are names of Prometheus samples on ``path``.
    """

    port: str
    path: str
    counter: str
    busy: str
    stuck_after: float = 60.0


LEAST_PAUSE = 0.1
"""Seconds between two questions to a ready module, and before a restart: with less, watching costs what it guards."""


class LiveRule(NamedTuple):
    """How a ready instance is watched; ``unhealthy_after`` answers of no in a row change the belief."""

    probe: Probe | None = None
    every: float = 10.0
    timeout: float = 5.0
    unhealthy_after: int = 3
    healthy_after: int = 1
    progress: Progress | None = None


class StopRule(NamedTuple):
    """Stop = ``signal`` once to the main process, ``grace`` seconds, then KILL to all that is left."""

    signal: str = "SIGTERM"
    grace: float = 10.0


class RestartRule(NamedTuple):
    """
    Restart by the supervisor: the n-th wait is ``min(cap, first * factor ** n)`` seconds.

    The count starts again after ``reset_after`` seconds of a stable run; after ``max_tries`` it is given up.
    """

    policy: RestartPolicy = RestartPolicy.NO
    first: float = 2.0
    factor: float = 2.0
    cap: float = 60.0
    max_tries: int = 5
    reset_after: float = 600.0


class LogRule(NamedTuple):
    """
    Bounds of the log: bytes kept of one start, starts kept, bytes kept of the instance altogether.

    ``capture`` is ``direct`` when the module writes the log itself, ``pump`` when a process carries it there from a
    pipe, ``auto`` for direct where the file system can trim what is being written.
    """

    start_bytes: int = 256 * 2**20
    keep_starts: int = 10
    total_bytes: int = 1024 * 2**20
    capture: LogCapture = LogCapture.AUTO


class Phase(NamedTuple):
    """A milestone of the module's own log while it loads: ``pattern`` seen means ``says`` is under way."""

    pattern: str
    says: str


class Failure(NamedTuple):
    """A known failure: ``pattern`` in the log means ``meaning``; ``remedy`` cures it. Groups fill ``{1}``, ``{2}``…"""

    pattern: str
    meaning: str
    remedy: str
    exit_codes: tuple[int, ...] = ()


class ContainerSpec(NamedTuple):
    """What only a container backend needs. ``digest`` pins the image when it is known at planning time."""

    image: str
    digest: str | None = None
    user: str | None = None
    read_only: bool = True
    tmpfs: tuple[str, ...] = ("/tmp", "/run")  # noqa: S108 - paths inside the container
    writable: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    pull: str = "missing"
    workdir: str | None = None
    labels: dict[str, str] = {}


class Provenance(NamedTuple):
    """Which manifest an instance was planned from: how far it is trusted and why, its file, the hash of its content."""

    trust: Trust
    path: str
    content_hash: str = ""
    why: str = ""


class Owner(NamedTuple):
    """Who asked: the process, provably (pid, start time in clock ticks, boot id), and a word for people."""

    pid: int
    start_ticks: int
    boot_id: str
    label: str = ""


class LaunchSpec(NamedTuple):
    """
    An instance fully decided.

    ``argv`` may hold ``{secret_file:NAME}`` only; everything else is final. ``env`` is what the manifest and the
    user add; the backend decides what else of the environment is let through. ``fingerprint`` is equal for two
    requests that mean the same server, ``memory_key`` for two starts that must use the same memory. ``exposed`` is
    whether other machines may reach its ports; ``opens`` says why it opens others to the network, where its manifest
    knows that it cannot be kept from it. ``share_gpu`` allows GPUs that another running instance was given.
    ``manifest`` is None in a spec that was written before it was kept.
    """

    name: str
    module: str
    mode: Mode
    backend: str
    argv: tuple[str, ...]
    fingerprint: str = ""
    module_version: str = ""
    env: dict[str, str] = {}
    cwd: str | None = None
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    gpus: Gpus = Gpus()
    limits: Limits = Limits()
    ready: ReadyRule = ReadyRule()
    live: LiveRule = LiveRule()
    stop: StopRule = StopRule()
    restart: RestartRule = RestartRule()
    logs: LogRule = LogRule()
    lifetime: Lifetime = Lifetime.DETACHED
    owner: Owner | None = None
    model: str | None = None
    model_alias: str | None = None
    container: ContainerSpec | None = None
    phases: tuple[Phase, ...] = ()
    failures: tuple[Failure, ...] = ()
    provides: tuple[str, ...] = ()
    api_path: str | None = None
    log_dir: str = ""
    memory_promised: int | None = None
    exposed: bool = False
    opens: str = ""
    memory_key: str = ""
    share_gpu: bool = False
    manifest: Provenance | None = None
    decisions: tuple[Decision, ...] = ()
    format: int = SPEC_FORMAT

    def port(self, name: str) -> Port | None:
        """The port of that name, or None."""
        return next((port for port in self.ports if port.name == name), None)
