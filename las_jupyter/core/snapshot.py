"""
What a person may want to see of an instance at one moment, as one frozen value: the content of ``state.json``.

Only the supervisor writes it. Times are wall clock seconds since the epoch, for display; a reader never
decides anything by them.
"""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.core.launch import Limits, Port
from las_jupyter.core.quantities import format_size
from las_jupyter.core.states import HealthState, Lifetime, Mode, ProcessState

STATE_FORMAT = 1


class ExitRecord(NamedTuple):
    """
    How a start ended. ``code`` None means nobody saw it; ``signal`` is a name such as ``SIGKILL``.

    ``oom`` is None where it cannot be known. ``requested`` is True when we stopped it. ``text`` is the sentence.
    """

    code: int | None = None
    signal: str | None = None
    oom: bool | None = None
    requested: bool = False
    text: str = ""
    at: float | None = None


class Health(NamedTuple):
    """A belief with its reason in words; ``phase`` is what the module is doing while it loads."""

    state: HealthState = HealthState.UNKNOWN
    reason: str = "not asked yet"
    phase: str | None = None
    at: float | None = None


class Leftover(NamedTuple):
    """A process of the instance that is still alive though its main process ended."""

    pid: int
    name: str
    why: str


class Usage(NamedTuple):
    """
    What the whole tree uses now. ``memory`` in bytes (PSS, or the cgroup's word, as ``source`` says);
    ``cpu_seconds`` grows; ``vram`` in bytes or None when nobody can tell.
    """

    cpu_seconds: float = 0.0
    memory: int = 0
    processes: int = 0
    vram: int | None = None
    source: str = ""
    at: float = 0.0


class Fetching(NamedTuple):
    """
    An image on its way here before the first instruction. ``done`` and ``total`` in bytes.

    0 where the engine does not tell; ``total`` is 0 until the size of every layer is known.
    """

    image: str
    layers_done: int = 0
    layers: int = 0
    done: int = 0
    total: int = 0

    @property
    def text(self) -> str:
        """As ``pulling IMAGE: 3 of 7 layers, 420.0 MiB of 1.9 GiB``."""
        told = [f"{self.layers_done} of {self.layers} layers"] if self.layers else []
        if self.done or self.total:
            told.append(format_size(self.done) + (f" of {format_size(self.total)}" if self.total else " so far"))
        return f"pulling {self.image}" + (f": {', '.join(told)}" if told else "")

    @property
    def fraction(self) -> float | None:
        """How much of it is here, between 0 and 1; None while nobody can tell."""
        if self.total:
            return min(1.0, self.done / self.total)
        return None


class Snapshot(NamedTuple):
    """
    One instance at one moment.

    ``generation`` counts starts of this name, restarts included. ``reason`` is always a sentence. ``enforcement``
    says for each limit how it is kept: ``cgroup v2``, ``cgroup v1``, ``systemd scope``, ``engine``, ``rlimit``,
    ``watched``, ``none``. ``limits`` are those asked for. ``supervised`` is False when the module runs but its
    supervisor is gone. ``image`` is what a container was made of, as ``repository@sha256:…``, or the image's id where
    it came from no registry. ``memory_peak`` is the most memory seen since this start was ready, in bytes.
    ``key_at_risk``: another program had its port, so that the next start makes a new key.
    """

    name: str
    module: str
    mode: Mode
    backend: str
    state: ProcessState
    reason: str
    health: Health = Health()
    fingerprint: str = ""
    generation: int = 0
    model: str | None = None
    pid: int | None = None
    container_id: str | None = None
    boot_id: str = ""
    ref_token: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    ready_at: float | None = None
    changed_at: float = 0.0
    ports: tuple[Port, ...] = ()
    url: str | None = None
    log_path: str = ""
    exit: ExitRecord | None = None
    restarts: int = 0
    next_restart_at: float | None = None
    lifetime: Lifetime = Lifetime.DETACHED
    enforcement: dict[str, str] = {}
    leftovers: tuple[Leftover, ...] = ()
    warnings: tuple[str, ...] = ()
    usage: Usage | None = None
    memory_peak: int | None = None
    supervised: bool = True
    supervisor_pid: int | None = None
    supervisor_ticks: int | None = None
    supervisor_version: str = ""
    image: str | None = None
    fetching: Fetching | None = None
    format: int = STATE_FORMAT
    limits: Limits = Limits()
    key_at_risk: bool = False


class EventRecord(NamedTuple):
    """One line of ``events.jsonl``: what happened, from which state to which, and why."""

    at: float
    event: str
    before: str
    after: str
    reason: str
    generation: int = 0
    data: dict[str, str] = {}
