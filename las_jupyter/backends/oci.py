"""
What Docker and Podman have in common: the container of a launch spec as one value, and what an engine is asked.

Every restriction stands in ``create_options`` and nowhere else; an engine only says it in its own words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from las_jupyter.core.advice import word
from las_jupyter.core.backend import StartFiles, Unavailable
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import ContainerSpec, Gpus, LaunchSpec, Mount, Port
from las_jupyter.state.files import make_folders, write_atomic

INSTANCE, OWNER, FINGERPRINT, STATE, START = (
    "las.instance", "las.owner", "las.fingerprint", "las.state", "las.start",
)  # fmt: skip
DEFAULT_PIDS = 4096
_SECRETS = "/las-secrets"
# To Podman these, before a colon, are no names: what follows is a file or a folder of this machine.
_FOLDERS = {
    "dir",
    "oci",
    "oci-archive",
    "docker-archive",
    "docker-daemon",
    "containers-storage",
    "ostree",
    "sif",
    "tarball",
}
_LONGEST_IMAGE = 600  # characters: 255 of a name, 128 of a tag, and a digest
_NAME = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
_IMAGE = re.compile(
    rf"(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_NAME}(?:/{_NAME})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64}"
)
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - where a policy and the user both want it


class EngineError(Exception):
    """The engine answered with an error; its text is for ``oci_errors.explain``."""


class EngineUnreachable(EngineError):
    """The engine did not answer at all, so nothing is known."""


class ImageFacts(NamedTuple):
    """
    An image that is here. ``digest`` is the registry's where it came from one, else the image's id.

    ``name`` is what it can be had by again: ``repository@sha256:…``, or the id where no registry has it.
    """

    id: str
    digest: str
    architecture: str
    user: str
    health: bool
    name: str = ""


class ContainerFacts(NamedTuple):
    """One container as the engine tells it. ``pid`` is 0 when it does not run."""

    id: str
    name: str
    status: str
    labels: dict[str, str]
    pid: int = 0
    exit_code: int = 0
    oom: bool = False
    error: str = ""
    health: str = ""
    health_text: str = ""
    log_path: str = ""
    folder: str = ""

    @property
    def over(self) -> bool:
        """Whether it ran and ended."""
        return self.status in ("exited", "dead", "stopped")


class CreateOptions(NamedTuple):
    """A container to be, every restriction included. Sizes in bytes."""

    name: str
    image: str
    argv: tuple[str, ...]
    entrypoint: tuple[str, ...] | None
    env: dict[str, str]
    labels: dict[str, str]
    ports: tuple[Port, ...]
    mounts: tuple[Mount, ...]
    user: str | None
    workdir: str | None
    read_only: bool
    tmpfs: tuple[str, ...]
    memory: int | None
    cpus: float | None
    pids: int
    nofile: int | None
    shm: int | None
    gpus: Gpus
    stop_signal: str
    own_probe: bool
    init: bool = True
    address: str = "127.0.0.1"


class PullProgress(NamedTuple):
    """Where one layer of an image stands; bytes, or 0 where the engine does not tell."""

    layer: str
    doing: str
    done: int = 0
    total: int = 0


OnPull = Callable[[PullProgress], None]


def exact_name(reference: str, digests: Sequence[str], identity: str) -> str:
    """Which of the image's ``repository@sha256:…`` names is of ``reference``'s repository; else any; else its id."""
    own = _repository(reference)
    return next((each for each in digests if _repository(each) == own), digests[0] if digests else identity)


def _repository(reference: str) -> str:
    """Without tag and digest, and without what Docker leaves out of its own names."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    name = head if colon and "/" not in tag else name
    return name.removeprefix("docker.io/").removeprefix("library/")


class Engine(Protocol):
    """What a container engine is asked. Every method may raise ``EngineError`` and may block."""

    name: str
    endpoint: str
    look_every: float
    """Seconds between two looks at a container whose end the kernel tells: for what only the engine knows."""

    def why_unavailable(self) -> Unavailable | None:
        """None when it answers; within two seconds."""

    def why_reachable(self) -> Unavailable | None:
        """Why other machines may reach the containers that are not exposed, and the cure; None when they cannot."""

    def architecture(self) -> str:
        """What it runs natively, in the registry's words (``amd64``)."""

    def limits_enforced(self) -> bool:
        """Whether limits of memory, CPUs and processes have an effect."""

    def image(self, reference: str) -> ImageFacts | None:
        """The image if it is here."""

    def pull(self, reference: str, on_progress: OnPull) -> None:
        """Fetch the image. What ``on_progress`` raises ends it."""

    def give_up_pull(self) -> None:
        """End the pull that another thread waits for, as soon as that can be done."""

    def create(self, options: CreateOptions, folder: str) -> str:
        """Make the container and return its id; ``folder`` is private and may hold short-lived files."""

    def start(self, container: str) -> None:
        """Start it."""

    def inspect(self, container: str) -> ContainerFacts | None:
        """How it stands, or None when there is none of that id or name."""

    def kill(self, container: str, signal: str) -> None:
        """Send its main process a signal, and wake it if it is paused."""

    def remove(self, container: str) -> None:
        """Remove it with its anonymous volumes. One that is gone is no error."""

    def tidy(self) -> None:
        """Remove what containers share, if none is left that does. Returns at once."""

    def execute(self, container: str, argv: tuple[str, ...], timeout: float) -> int:
        """Run a command in it and return its exit code. Raises ``TimeoutError``."""

    def tail(self, container: str) -> str:
        """The last lines of its log."""

    def check_health(self, container: str) -> None:
        """Let the engine run the image's HEALTHCHECK now, where it does not do so by itself."""


def container_name(spec: LaunchSpec) -> str:
    """The one name an instance's container has."""
    return f"las-{os.getuid()}-{spec.name}"


def create_options(spec: LaunchSpec, secrets: dict[str, str], files: StartFiles, start: str) -> CreateOptions:
    """``spec`` as a container, least privileges first. Raises ``LaunchFailed`` when something it needs is missing."""
    container = spec.container
    if container is None:
        raise LaunchFailed(f"{spec.name} could not be started.", cause="its spec has no container part")
    _check_words(spec, container)
    argv, secret_mounts = _secret_files(spec, secrets, files.instance_dir)
    limits = spec.limits
    return CreateOptions(
        name=container_name(spec),
        image=container.image,
        argv=argv,
        entrypoint=container.entrypoint,
        env=_environment(spec, secrets),
        labels={**container.labels, **_labels(spec, files, start)},
        ports=spec.ports,
        mounts=(*_checked_mounts(spec, files), *secret_mounts),
        user=container.user,
        workdir=container.workdir,
        read_only=container.read_only,
        tmpfs=(*container.tmpfs, *container.writable),
        memory=limits.memory,
        cpus=limits.cpus,
        pids=limits.pids or DEFAULT_PIDS,
        nofile=limits.nofile,
        shm=limits.shm,
        gpus=spec.gpus,
        stop_signal=spec.stop.signal,
        own_probe=spec.ready.probe is not None or spec.live.probe is not None,
        address=_EVERYWHERE if spec.exposed else "127.0.0.1",
    )


def is_image(text: str) -> bool:
    """Whether ``text`` names an image: [HOST[:PORT]/]PATH[:TAG][@DIGEST] as registries have it, or an image's id."""
    if len(text) > _LONGEST_IMAGE or text.partition(":")[0] in _FOLDERS:
        return False
    return _IMAGE.fullmatch(text) is not None


def _check_words(spec: LaunchSpec, container: ContainerSpec) -> None:
    """What an engine's own grammar would read as something else. Raises ``LaunchFailed``."""
    if not is_image(container.image):
        raise LaunchFailed(
            f"{spec.name} could not be started.",
            cause=f"{container.image!r} names no image",
            remedy="correct launch.container.image in the manifest; one looks like docker.io/library/redis:7",
        )
    for target in (*container.tmpfs, *container.writable):
        if not _is_inner_path(target):
            raise LaunchFailed(
                f"{spec.name} could not be started.",
                cause=f"{target!r} is no place in a container",
                remedy="correct launch.container in the manifest: a path from / on, without a colon",
            )
    for mount in spec.mounts:
        if not _is_inner_path(mount.target):
            raise LaunchFailed(
                f"{spec.name} could not be started.",
                cause=f"a mount is to be seen at {mount.target!r}, which is no path from / on",
                remedy="--mount SOURCE:/absolute/path",
            )


def _is_inner_path(path: str) -> bool:
    """In the engines' own words a colon begins options: ``/tmp:exec,suid``."""
    return path.startswith("/") and ":" not in path and path.isprintable()


def _labels(spec: LaunchSpec, files: StartFiles, start: str) -> dict[str, str]:
    return {
        INSTANCE: spec.name,
        OWNER: str(os.getuid()),
        FINGERPRINT: spec.fingerprint,
        STATE: files.state_dir,
        START: start,
    }


def _environment(spec: LaunchSpec, secrets: dict[str, str]) -> dict[str, str]:
    env = {"PYTHONUNBUFFERED": "1"}
    env.update({use.env: secrets[use.name] for use in spec.secrets if use.env and use.name in secrets})
    env.update(spec.env)
    return env


def _checked_mounts(spec: LaunchSpec, files: StartFiles) -> tuple[Mount, ...]:
    """The mounts; Docker would make a folder of a missing source, so we ask before."""
    found = []
    for mount in spec.mounts:
        source = os.path.realpath(os.path.expanduser(mount.source))
        ours = bool(files.state_dir) and source.startswith(os.path.realpath(files.state_dir) + os.sep)
        if mount.writable and ours:
            make_folders(source)
            _give(source, spec.container.user if spec.container else None)
        if not ours and os.path.isabs(mount.source) and source != os.path.normpath(mount.source):
            # A start writes down where each leads to; a link there now was put there since.
            raise LaunchFailed(
                f"{spec.name} could not be started.",
                cause=f"{mount.source}, which it is to see as {mount.target}, leads to {source} now",
                remedy=f"ls -ld {word(mount.source)}, and start it anew if it is what you mean",
            )
        if not os.path.exists(source):
            raise LaunchFailed(
                f"{spec.name} could not be started.",
                cause=f"{mount.source}, which it is to see as {mount.target}, does not exist",
                remedy="correct the path given with --mount or --model",
            )
        found.append(Mount(source, mount.target, mount.writable))
    return tuple(found)


def _give(path: str, user: str | None) -> None:
    """Let the container's user write into a folder of the instance's own, whoever wrote there before; as root only."""
    uid, _, gid = (user or "").partition(":")
    if os.geteuid() != 0 or not uid.isdigit() or os.lstat(path).st_uid == int(uid):
        return
    for folder, folders, names in os.walk(path, topdown=False):
        for name in (*folders, *names):
            os.lchown(os.path.join(folder, name), int(uid), int(gid) if gid.isdigit() else -1)
    # The folder itself last: a walk that was cut short is walked again.
    os.chown(path, int(uid), int(gid) if gid.isdigit() else -1)


def _secret_files(spec: LaunchSpec, secrets: dict[str, str], folder: str) -> tuple[tuple[str, ...], tuple[Mount, ...]]:
    argv, mounts = list(spec.argv), []
    for use in spec.secrets:
        mark = f"{{secret_file:{use.name}}}"
        if not any(mark in word for word in argv):
            continue
        if use.name not in secrets:
            raise LaunchFailed(f"{spec.name} could not be started.", cause=f"its secret {use.name} is missing")
        path = os.path.join(folder, f"secret-{use.name}")
        write_atomic(path, secrets[use.name].encode())
        # The container's user must read it; on this side the folder above is closed to everybody else.
        os.chmod(path, 0o644)
        argv = [word.replace(mark, f"{_SECRETS}/{use.name}") for word in argv]
        mounts.append(Mount(path, f"{_SECRETS}/{use.name}"))
    return tuple(argv), tuple(mounts)
