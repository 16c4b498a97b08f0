"""
The manifest: LocalAIStack's schema, plus ``launch``, ``model``, ``ports``, ``health``, ``stop`` and ``failures``.

A file that keeps upstream's schema loads as it is; without ``launch`` it is listed, and cannot be started.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from las_jupyter.core.quantities import parse_duration, parse_size

Size = Annotated[int, BeforeValidator(parse_size)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Word = Annotated[str, BeforeValidator(str)]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt one must not be silently without effect."""

    model_config = ConfigDict(extra="forbid")


class Cpu(Strict):
    cores_min: int | None = None


class Memory(Strict):
    ram_min: Size | None = None


class Gpu(Strict):
    vram_min: Size | None = None
    multi_gpu: bool = False
    required: bool = False


class Hardware(Strict):
    """The least a module wants."""

    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    gpu: Gpu = Gpu()


class Dependencies(Strict):
    """Upstream's system packages, and modules (``name@>=1.2``) that must run first."""

    system: list[str] = []
    modules: list[str] = []


class Runtime(Strict):
    """``modes`` may hold upstream's own words (``binary``, ``source``…); only native and container can be started."""

    modes: list[str] = Field(min_length=1)
    preferred: str | None = None


class Interfaces(Strict):
    provides: list[str] = []
    api_path: str | None = Field(None, description="where the API begins, as /v1")


class Integrity(Strict):
    checksum: str | None = Field(None, description="sha256:… of what is downloaded")


class NativeLaunch(Strict):
    """``argv`` may begin with ``{engine}``: the program of ``needs``, wherever it was found."""

    argv: list[Word] = Field(min_length=1)
    needs: list[str] = []
    env: dict[str, Word] = {}
    hardened: bool = True


class ContainerLaunch(Strict):
    """``argv`` are the image's arguments; ``user`` is ``keep`` for the image's own or ``UID:GID``."""

    image: str
    argv: list[Word] = []
    entrypoint: list[Word] | None = None
    inner_port: int | None = None
    inner_ports: dict[str, int] = {}
    user: str | None = None
    user_reason: str | None = None
    writable: list[str] = []
    tmpfs: list[str] = ["/tmp", "/run"]  # noqa: S108 - inside the container
    read_only: bool = True
    env: dict[str, Word] = {}
    shm: Size | None = None
    model_target: str | None = None


class Secret(Strict):
    """A generated secret: into the environment as ``env``, or into a file that argv names ``{secret_file:NAME}``."""

    env: str | None = None
    file: bool = False


class Launch(Strict):
    native: NativeLaunch | None = None
    container: ContainerLaunch | None = None
    secrets: dict[str, Secret] = {}


class Model(Strict):
    """What the module serves. ``kind`` decides how its size is read."""

    kind: Literal["gguf", "safetensors", "any"]
    required: bool = True
    default: str | None = None


class PortRow(Strict):
    name: str = "http"
    default: int = Field(gt=0, lt=65536)


class Http(Strict):
    port: str = "http"
    path: str = "/"
    ok: list[int] = [200]
    loading: list[int] = []


class Tcp(Strict):
    port: str = "http"


class Ready(Strict):
    """Exactly one kind of probe, and how long silence may last."""

    http: Http | None = None
    tcp: Tcp | None = None
    command: list[str] | None = None
    log: str | None = None
    stall: Seconds = 120.0
    limit: Seconds | None = None
    every: Seconds = 0.05
    timeout: Seconds = 5.0


class ProgressRow(Strict):
    port: str = "http"
    path: str = "/metrics"
    counter: str
    busy: str
    stuck_after: Seconds = 60.0


class Live(Strict):
    http: Http | None = None
    tcp: Tcp | None = None
    command: list[str] | None = None
    log: str | None = None
    every: Seconds = 10.0
    timeout: Seconds = 5.0
    unhealthy_after: int = 3
    healthy_after: int = 1
    progress: ProgressRow | None = None


class Health(Strict):
    ready: Ready = Ready()
    live: Live = Live()


class Stop(Strict):
    signal: str = "SIGTERM"
    grace: Seconds = 10.0


class PhaseRow(Strict):
    pattern: str
    says: str


class FailureRow(Strict):
    pattern: str
    meaning: str
    remedy: str
    exit_codes: list[int] = []


class Refused(Strict):
    """Extra arguments that would undo a decision; ``use`` is the right way."""

    args: list[str]
    use: str


class Manifest(Strict):
    """One module."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    category: str = "other"
    version: Word = "0"
    description: str = ""
    license: str = ""
    hardware: Hardware = Hardware()
    dependencies: Dependencies = Dependencies()
    runtime: Runtime
    interfaces: Interfaces = Interfaces()
    integrity: Integrity | None = None
    launch: Launch | None = None
    model: Model | None = None
    ports: list[PortRow] = []
    health: Health = Health()
    stop: Stop = Stop()
    phases: list[PhaseRow] = []
    failures: list[FailureRow] = []
    refuse: list[Refused] = []

    def missing(self, mode: str) -> str | None:
        """What it lacks to be started in ``mode``, as a clause, or None."""
        if mode not in self.runtime.modes:
            return f"its modes are {', '.join(self.runtime.modes)}"
        if self.launch is None or getattr(self.launch, mode, None) is None:
            return f"it has no launch.{mode} section that says what to run"
        return None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest file."""
    return Manifest.model_json_schema()
