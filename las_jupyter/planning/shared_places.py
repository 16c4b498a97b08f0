"""
What of this machine a container may be shown as its model or as a mount.

A model is a file or a folder, and never one that holds keys: who gives such a path has mistyped it, or was told to. A
mount of one is believed only when it is typed as what it is: then a plan warns, and any other spelling is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.states import Word


class Kind(Word):
    """What is at a path."""

    FILE = "file"
    FOLDER = "folder"
    SOCKET = "socket"
    DEVICE = "device"
    PIPE = "pipe"
    MISSING = "missing"


class Place(NamedTuple):
    """A path as it was ``typed``, with ``~`` written out; the ``path`` it leads to, without links; what is there."""

    typed: str
    path: str
    kind: Kind


class Guarded(NamedTuple):
    """A path that holds what others must not have. ``inside``: so does all that is below it."""

    path: str
    holds: str
    inside: bool = True


_IN_HOME = (
    (".ssh", "SSH keys"),
    (".gnupg", "GnuPG keys"),
    (".aws", "keys to a cloud"),
    (".azure", "keys to a cloud"),
    (".config/gcloud", "keys to a cloud"),
    (".kube", "keys to a cluster"),
    (".docker", "passwords of registries"),
    (".config/containers", "passwords of registries"),
    (".config/gh", "keys to GitHub"),
    (".config/las_jupyter", "what you trust"),
    (".git-credentials", "passwords"),
    (".netrc", "passwords"),
    (".pgpass", "passwords"),
    (".pypirc", "passwords"),
    (".npmrc", "passwords"),
    (".password-store", "passwords"),
    (".local/share/keyrings", "passwords"),
    (".pki", "keys"),
    (".mozilla", "a browser's passwords"),
    (".config/google-chrome", "a browser's passwords"),
    (".config/chromium", "a browser's passwords"),
    (".cache/huggingface/token", "the key to Hugging Face"),
    (".local/share/jupyter/runtime", "the keys to running kernels"),
    (".local/share/containers", "what containers consist of"),
)
_ANYWHERE = (
    Guarded("/proc", "every program that runs"),
    Guarded("/sys", "the machine's own switches"),
    Guarded("/dev", "the machine's devices", inside=False),
    Guarded("/run/docker.sock", "the key to Docker, which is the key to this machine"),
    Guarded("/run/docker", "the key to Docker, which is the key to this machine"),
    Guarded("/run/podman", "the key to Podman, which is the key to this machine"),
    Guarded("/run/containerd", "the key to containers, which is the key to this machine"),
    Guarded("/run/crio", "the key to containers, which is the key to this machine"),
    Guarded("/var/lib/docker", "what containers consist of"),
    Guarded("/var/lib/containers", "what containers consist of"),
    Guarded("/etc/shadow", "passwords"),
    Guarded("/etc/sudoers", "who may become root"),
    Guarded("/etc/ssh", "this machine's SSH keys"),
)


def guarded(homes: Iterable[str], own: Iterable[str] = (), runtime: str = "") -> tuple[Guarded, ...]:
    """
    All that is guarded for a person with these ``homes``.

    ``own`` are folders that hold the keys of instances, ``runtime`` is the folder of the sockets of their programs.
    """
    found = [Guarded(str(PurePosixPath(home) / name), holds) for home in homes for name, holds in _IN_HOME]
    found += [Guarded(folder, "the keys of your instances") for folder in own]
    if runtime:
        found.append(Guarded(runtime, "the sockets of your programs", inside=False))
    return (*_ANYWHERE, *found)


def what_it_shows(place: Place, kept: Iterable[Guarded]) -> str:
    """What would be shown with ``place`` that others must not have; empty where there is nothing."""
    path = PurePosixPath(place.path)
    for each in kept:
        private = PurePosixPath(each.path)
        if path == private or private.is_relative_to(path) or (each.inside and path.is_relative_to(private)):
            return f"{each.holds} ({private})"
    if place.kind in (Kind.SOCKET, Kind.DEVICE, Kind.PIPE):
        return f"a {place.kind}, behind which is another program or the machine itself"
    return ""


def check_model(place: Place, kept: Iterable[Guarded]) -> None:
    """Raise ``PlanRefused`` for a path that no model is at."""
    shown = what_it_shows(place, kept)
    if shown:
        raise PlanRefused(
            f"{place.path} is no model.",
            cause=f"it is or holds {shown}",
            remedy="give the path of a .gguf file or of a model's own folder",
        )


def check_mount(place: Place, target: str, kept: Iterable[Guarded]) -> str:
    """
    The warning for a mount that shows what others must not have, empty for any other.

    Raises ``PlanRefused`` where it was not typed as what it is: by a link, by ``..``, by a relative path.
    """
    shown = what_it_shows(place, kept)
    if shown and (place.typed.rstrip("/") or "/") != place.path:
        raise PlanRefused(
            f"{place.typed} is not shown to a container.",
            cause=f"it leads to {place.path}, which is or holds {shown}",
            remedy=f"if you mean it, --mount {word(f'{place.path}:{target}')}",
        )
    return f"the container sees {place.path}, which is or holds {shown}" if shown else ""
