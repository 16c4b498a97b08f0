"""
The manifest: LocalAIStack's schema, plus ``launch``, ``model``, ``ports``, ``health``, ``stop`` and ``failures``.

A file that keeps upstream's schema loads as it is; without ``launch`` it is listed, and cannot be started. What the
types cannot say (names in braces, patterns, ports that are named elsewhere) is in ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from las_jupyter.core.launch import LEAST_PAUSE
from las_jupyter.core.quantities import parse_duration, parse_size
from las_jupyter.manifests import spellings
from las_jupyter.manifests.modes import explain, startable

_LONGEST_PATTERN = 500
_LARGEST_SIZE = 2**60
_LONGEST_TIME = 366 * 86400.0


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("write a size like 24GB or 512MiB")
    size = parse_size(value)
    if not 0 < size <= _LARGEST_SIZE:
        raise ValueError(f"{value!r} is no size that a machine has")
    return size


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("write a duration like 15s or 2m")
    seconds = parse_duration(value)
    if not 0 < seconds <= _LONGEST_TIME:
        raise ValueError(f"{value!r} is not a duration between 0 and a year")
    return seconds


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        text = str(value)
        if "\0" in text:
            raise ValueError("a word cannot hold a NUL")
        return text
    raise ValueError(f"write a word here, not {'nothing' if value is None else 'a ' + type(value).__name__}")


Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["24GB", "512MiB"]}, {"type": "integer", "minimum": 1}]}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["15s", "2m"]}, {"type": "number"}]}),
]
Word = Annotated[
    str,
    BeforeValidator(_word),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}),
]
Pattern = Annotated[str, Field(min_length=1, max_length=_LONGEST_PATTERN)]
PortNumber = Annotated[int, Field(gt=0, lt=65536)]
PortName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
InnerPath = Annotated[str, Field(pattern=r"^/[^:]*$")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Argv = list[Word | list[Word]]


def _written(check: Callable[[str], str], pattern: str, *examples: str) -> Any:
    """Text that ``check`` allows; an editor is told the ``pattern``."""
    # Names of groups are Python's own.
    plain = re.sub(r"\?P<\w+>", "?:", pattern)
    return AfterValidator(check), WithJsonSchema(
        {"type": "string", "pattern": f"^(?:{plain})$", **({"examples": list(examples)} if examples else {})}
    )


Image = Annotated[str, *_written(spellings.image, spellings.IMAGE, "docker.io/library/redis:7-alpine")]
Program = Annotated[str, *_written(spellings.program, spellings.PROGRAM)]
DefaultModel = Annotated[str, *_written(spellings.default_model, spellings.DEFAULT_MODEL, "smollm2-135m")]
User = Annotated[str, *_written(spellings.user, f"keep|(?:{spellings.USER})(?::(?:{spellings.USER}))?", "keep")]


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt one must not be silently without effect."""

    model_config = ConfigDict(extra="forbid")


class Cpu(Strict):
    cores_min: int | None = Field(None, ge=1, description="processor cores it wants at least")


class Memory(Strict):
    ram_min: Size | None = Field(None, description="memory it wants at least")


class Gpu(Strict):
    vram_min: Size | None = Field(None, description="GPU memory it wants at least, when it uses a GPU")
    multi_gpu: bool = Field(default=False, description="whether it can spread over several GPUs")
    required: bool = Field(default=False, description="whether it is of no use without a GPU")
    vendors: list[Literal["nvidia", "amd", "apple", "intel"]] = Field([], description="whose GPUs it can use")


class Hardware(Strict):
    """The least a module wants."""

    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    gpu: Gpu = Gpu()


class Dependencies(Strict):
    """Upstream's system packages and constraints, and modules (``name@>=1.2``) that must run first."""

    system: list[str] = Field([], description="packages of the operating system; shown, never installed")
    modules: list[str] = Field([], description="modules that must run first, as name or name@>=1.2")
    runtime: list[str] = Field([], description="upstream's constraints such as cuda>=12.1; shown")


class Runtime(Strict):
    """``modes`` may hold upstream's own words (``binary``, ``source``…); only native and container can be started."""

    modes: list[str] = Field(min_length=1, description="native, container, or one of upstream's words")
    preferred: str | None = Field(None, description="the mode to take when nothing speaks against it")


class Interfaces(Strict):
    provides: list[str] = Field([], description="what it offers, as openai-compatible-api")
    consumes: list[str] = Field([], description="what it can use of other modules")
    api_path: str | None = Field(None, pattern=r"^/", description="where the API begins, as /v1")


class Integrity(Strict):
    checksum: str | None = Field(
        None, description="sha256:… of this file without that value itself; another content is refused"
    )
    signature: str | None = Field(None, description="upstream's detached signature; shown, not verified")


class NativeLaunch(Strict):
    """``argv`` may begin with ``{engine}``: the program of ``needs``, wherever it was found."""

    argv: Argv = Field(min_length=1, description="the command line; a list inside it is an optional group")
    needs: list[Program] = Field([], description="the bare names of programs it needs; the first is {engine}")
    install: str | None = Field(None, description="what to do when the program is not here")
    env: dict[EnvName, Word] = Field({}, description="environment it is given")
    opens: str | None = Field(
        None,
        description="why it opens ports to the network beside its own and cannot be kept from it; the plan shows it",
    )


class ContainerLaunch(Strict):
    """``argv`` are the image's arguments; without ``user`` it runs as the person who starts it, never as root."""

    image: Image = Field(description="the image for CPUs, or for everything")
    images: dict[Literal["nvidia", "amd", "intel"], Image] = Field({}, description="the image for GPUs of a vendor")
    argv: Argv = Field([], description="arguments after the image's entrypoint")
    entrypoint: list[Word] | None = Field(None, description="instead of the image's own")
    inner_port: PortNumber | None = Field(None, description="the first port as it is inside")
    inner_ports: dict[PortName, PortNumber] = Field({}, description="other ports as they are inside")
    user: User | None = Field(None, description="keep for the image's own, UID:GID, or names the image knows")
    user_reason: str | None = Field(
        None,
        min_length=1,
        description="why it must be root or the image's own user, which mostly is root; the plan shows it",
    )
    writable: list[InnerPath] = Field([], description="paths it writes to besides tmpfs; lost with the container")
    data: InnerPath | None = Field(None, description="where its own data is; the instance's folder is mounted there")
    tmpfs: list[InnerPath] = Field(["/tmp", "/run"], description="small writable places in memory")  # noqa: S108
    read_only: bool = Field(default=True, description="whether the rest of its file system is read-only")
    env: dict[EnvName, Word] = Field({}, description="environment it is given")
    shm: Size | None = Field(None, description="size of /dev/shm")
    needs_gpu: bool = Field(default=False, description="whether the image is of no use without a GPU")
    model_target: InnerPath | None = Field(None, description="the folder inside where the model is shown")


class Secret(Strict):
    """A generated secret: into the environment as ``env``, or into a file that argv names ``{secret_file:NAME}``."""

    env: EnvName | None = Field(None, description="the variable it travels in")
    file: bool = Field(default=False, description="whether it is written to a 0600 file")


class Launch(Strict):
    native: NativeLaunch | None = None
    container: ContainerLaunch | None = None
    secrets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Secret] = {}


class Model(Strict):
    """What the module serves. ``kind`` decides how its size is read."""

    kind: Literal["gguf", "safetensors", "any"]
    required: bool = Field(default=True, description="whether it cannot start without one")
    default: DefaultModel | None = Field(
        None, description="the model to take when none is named: a name, pypi:… or hf:…, never a path"
    )


class PortRow(Strict):
    name: PortName = Field("http", description="how probes and argv call it")
    default: PortNumber = Field(description="the port on 127.0.0.1, when it is free")
    scheme: str = Field("http", pattern=r"^[a-z][a-z0-9+.-]*$", description="how an address of it begins")


class Http(Strict):
    port: str = Field("http", description="the port's name")
    path: str = Field("/", pattern=r"^/", description="what is asked for")
    ok: list[Annotated[int, Field(ge=100, le=599)]] = Field([200], min_length=1, description="codes that mean yes")
    loading: list[Annotated[int, Field(ge=100, le=599)]] = Field([], description="codes that mean not yet")


class Tcp(Strict):
    port: str = Field("http", description="the port's name")


class Ready(Strict):
    """At most one kind of probe, and how long silence may last."""

    http: Http | None = None
    tcp: Tcp | None = None
    command: list[Word] | None = Field(None, min_length=1, description="a command that ends with 0")
    log: Pattern | None = Field(None, description="a line of its log that says so")
    stall: Seconds = Field(120.0, description="the longest silence of log, processor and disk together")
    limit: Seconds | None = Field(None, description="the longest start at all")
    every: Seconds = Field(0.05, description="the pause between two questions")
    timeout: Seconds = Field(5.0, description="how long an answer may take")


class ProgressRow(Strict):
    """Names of Prometheus samples: while ``busy`` is above 0, ``counter`` must move."""

    port: str = "http"
    path: str = Field("/metrics", pattern=r"^/")
    counter: str
    busy: str
    stuck_after: Seconds = 60.0


class Live(Strict):
    """At most one kind of probe; without one the ready probe is asked."""

    http: Http | None = None
    tcp: Tcp | None = None
    command: list[Word] | None = Field(None, min_length=1)
    log: Pattern | None = None
    every: Seconds = Field(10.0, ge=LEAST_PAUSE, description="the pause between two questions, at least 100ms")
    timeout: Seconds = Field(5.0, description="how long an answer may take")
    unhealthy_after: int = Field(3, ge=1, description="noes in a row that make it unhealthy")
    healthy_after: int = Field(1, ge=1, description="yeses in a row that make it healthy again")
    progress: ProgressRow | None = None


class Health(Strict):
    ready: Ready = Ready()
    live: Live = Live()


class Stop(Strict):
    """``signal`` once to the main process, ``grace``, then the whole tree is killed."""

    signal: str = "SIGTERM"
    grace: Seconds = 10.0


class PhaseRow(Strict):
    pattern: Pattern = Field(description="a line of its log")
    says: str = Field(min_length=1, description="what is under way once that line is there")


class FailureRow(Strict):
    """A line of its log that explains a failure; groups of ``pattern`` fill ``{1}``, ``{2}``… in the other two."""

    id: str = Field("", pattern=r"^[a-z0-9-]*$", description="a short word for it; names the transcript that proves it")
    pattern: Pattern
    meaning: str = Field(min_length=1)
    remedy: str = Field(min_length=1)
    exit_codes: list[int] = []


class Refused(Strict):
    """Extra arguments that would undo a decision; ``use`` is the right way. A ``*`` at the end: any ending."""

    args: list[str] = Field(min_length=1)
    use: str = Field(min_length=1)


class Identity(Strict):
    """How a server that somebody else started is recognised as this module, on its first port."""

    path: str = Field("/", pattern=r"^/[!-~]*$", description="what is asked for")
    pattern: Pattern = Field(description="a regular expression that its answer matches, header lines included")


class Manifest(Strict):
    """One module."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)
    category: str = "other"
    version: Word = "0"
    description: str = ""
    license: str = ""
    homepage: str = ""
    notes: str = Field("", description="what a person should know before starting it")
    hardware: Hardware = Hardware()
    dependencies: Dependencies = Dependencies()
    runtime: Runtime
    interfaces: Interfaces = Interfaces()
    integrity: Integrity | None = None
    launch: Launch | None = None
    model: Model | None = None
    ports: list[PortRow] = []
    health: Health = Health()
    identity: Identity | None = Field(None, description="how one that somebody else started is recognised")
    stop: Stop = Stop()
    phases: list[PhaseRow] = []
    failures: list[FailureRow] = []
    refuse: list[Refused] = []

    def missing(self, mode: str) -> str | None:
        """What it lacks to be started in ``mode``, as a clause, or None."""
        told = []
        if mode not in self.runtime.modes:
            told.append(f"its modes are {', '.join(self.runtime.modes)}")
            told += [f"{word} is {why}" for word, why in self.unknown_modes().items()]
        if self.launch is None:
            told.append("it has no launch section that says which command or image runs it")
        elif mode in self.runtime.modes and getattr(self.launch, mode, None) is None:
            told.append(f"it has no launch.{mode} section that says what to run")
        return "; ".join(told) or None

    def unknown_modes(self) -> dict[str, str]:
        """The modes that cannot be started here, and what each means."""
        return {mode: explain(mode) for mode in self.runtime.modes if not startable(mode)}

    def can_start(self) -> bool:
        """Whether any of its modes says what to run."""
        return any(self.missing(mode) is None for mode in self.runtime.modes)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest file, as editors read it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "las_jupyter module manifest",
        **{key: value for key, value in Manifest.model_json_schema().items() if key != "title"},
    }
