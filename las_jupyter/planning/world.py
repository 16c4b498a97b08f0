"""Everything a plan depends on, as one frozen value. ``stack.survey`` takes the picture; planning only looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from las_jupyter.core.launch import LaunchSpec, LogRule, RestartRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode
from las_jupyter.planning.shared_places import Guarded, Place
from las_jupyter.policy.rules import PolicyVerdict

if TYPE_CHECKING:
    from las_jupyter.manifests.catalog import Entry
    from las_jupyter.resources.gguf_info import GgufFacts
    from las_jupyter.resources.measured import Measurements
    from las_jupyter.resources.safetensors_info import SafetensorsFacts


@dataclass(frozen=True, slots=True)
class Engine:
    """The program found for native execution, or why there is none and what installs it."""

    argv: tuple[str, ...] | None
    version: str = ""
    why: str = ""
    remedy: str = ""
    passed_over: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """
    The model: ``path`` where it is or will be, the name it is served under, what to fetch, what its header says.

    ``parameters`` is their count, None where it cannot be read or no policy asks.
    """

    text: str
    path: str
    alias: str
    download: str | None = None
    size: int | None = None
    facts: GgufFacts | None = None
    parameters: int | None = None
    tensors: SafetensorsFacts | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """
    Whether a backend can be used now, and if not, why and what cures it.

    ``maps_root`` says that root in its containers is the person who starts them, as in Docker without root;
    ``maps_users`` that every number inside is another one outside. ``reachable`` says why other machines may reach its
    containers though they are not exposed.
    """

    name: str
    mode: Mode
    unavailable: str | None = None
    remedy: str = ""
    maps_root: bool = False
    maps_users: bool = False
    reachable: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine has now. Sizes in bytes; ``gpu_memory`` is free and total by id, where the driver says it."""

    cpus: float
    memory_total: int
    memory_available: int
    gpu_ids: tuple[str, ...] = ()
    gpu_vendor: str | None = None
    gpu_memory: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """
    The picture. ``ports`` maps each port that was looked at to who has it, or None when it is free; ``free_ports``
    are any free ones, ``next_ports`` the next free one after a module's own that is taken; ``kept_ports`` are those
    the instance of this name has now, by the port's name. ``default_mode`` and the ``*_enabled`` flags are settings.
    ``lookalikes`` are those of the taken ports where a server answers that is this module and not ours. ``requires``
    are the modules it depends on, in the order to start them. ``person`` is the user and group id of whoever asks,
    ``secrets_around`` names what of the environment a server is not given. ``spare_user`` a number that nobody has,
    ``number_owner`` whose number the manifest names for its container. ``container_engine`` the setting of that name.
    ``keepers`` says for each limit who would keep it for a native server. ``measured`` is what servers used before, by
    their memory key. ``shadows`` are untrusted manifests that ask for the name of the module; ``namesake`` says why it
    must not be started under that name, for what another manifest left there. ``places`` says where the source of each
    mount leads to, ``guarded`` what must not be shown.
    """

    entry: Entry
    machine: Machine
    backends: tuple[Backend, ...]
    engine: Engine | None
    model: ModelFile | None
    ports: dict[int, str | None]
    free_ports: tuple[int, ...]
    state_dir: str
    running: tuple[tuple[Snapshot, LaunchSpec], ...] = ()
    next_ports: dict[int, int] = field(default_factory=dict)
    lookalikes: frozenset[int] = frozenset()
    kept_ports: dict[str, int] = field(default_factory=dict)
    default_mode: Mode | None = None
    native_enabled: bool = True
    docker_enabled: bool = True
    policy: PolicyVerdict = field(default_factory=PolicyVerdict)
    requires: tuple[str, ...] = ()
    logs: LogRule = field(default_factory=LogRule)
    restart: RestartRule = field(default_factory=RestartRule)
    memory_limit: int | None = None
    cpu_limit: float | None = None
    pids_limit: int | None = None
    person: tuple[int, int] = (0, 0)
    secrets_around: tuple[str, ...] = ()
    spare_user: int = 2_050_000_000
    number_owner: str = ""
    container_engine: str = "auto"
    keepers: dict[str, str] = field(default_factory=dict)
    measured: Measurements = field(default_factory=dict)
    shadows: tuple[Entry, ...] = ()
    namesake: str = ""
    places: dict[str, Place] = field(default_factory=dict)
    guarded: tuple[Guarded, ...] = ()
