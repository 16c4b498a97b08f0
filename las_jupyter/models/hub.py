"""
Models of Hugging Face, through ``huggingface_hub`` and in its own cache.

That cache is shared with transformers and vLLM, so nothing is downloaded twice; it honours ``HF_HOME``,
``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE``. A connection that breaks is taken up again where it stopped; a
download that is given up starts over the next time, because the hub's library keeps no part of it.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from las_jupyter.core.advice import word
from las_jupyter.core.errors import DownloadFailed, LasError, UnknownModel
from las_jupyter.models.cache import OnProgress, Progress, require_space
from las_jupyter.models.reference import ModelReference
from las_jupyter.state.files import make_folders

_REPORT_SECONDS = 0.2
_CONNECT_SECONDS = 10.0
_SPLIT = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})\.gguf")


def cache_folder() -> str:
    """Where ``huggingface_hub`` keeps its files."""
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def link_path(reference: ModelReference, cache_dir: Path) -> Path:
    """
    Where a link to the model stands once it was fetched.

    The hub's own path holds a commit that only the hub knows; a plan needs a path before anybody was asked.
    """
    repo = cache_dir / "hf" / reference.repo
    return repo / reference.revision / reference.file if reference.file else Path(f"{repo}@{reference.revision}")


def cached_path(reference: ModelReference, cache_dir: Path) -> Path | None:
    """The file or the whole repository, if all of it is here; asks nobody."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    links = [link_path(part, cache_dir) for part in _parts(reference)]
    if all(link.exists() for link in links):
        return links[0]
    try:
        found = [_download(part, local_files_only=True) for part in _parts(reference)]
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
    except HFValidationError as error:
        raise UnknownModel(f"{reference.repo!r} cannot be a Hugging Face repository.", cause=str(error)) from error
    return found[0]


def fetch(reference: ModelReference, cache_dir: Path, on_progress: OnProgress) -> Path:
    """
    Download the file (with the other parts of a split one) or the repository; returns ``link_path``.

    Raises ``DownloadFailed``, or ``UnknownModel`` when the hub has no such thing.
    """
    _require_hub(reference)
    try:
        total = _size(reference)
        require_space(Path(cache_folder()), total, reference.short_name)
        bar = _bar(on_progress, total, f"downloading {reference.file or reference.repo}")
        # Asked to fetch what the hub's cache has: it was found damaged there.
        again = cached_path(reference, cache_dir) is not None
        for part in _parts(reference):
            _link(_download(part, tqdm_class=bar, force_download=again), link_path(part, cache_dir))
    except LasError:
        raise
    except Exception as error:
        raise _explain(reference, error) from error
    return link_path(reference, cache_dir)


def _parts(reference: ModelReference) -> list[ModelReference]:
    """The references of all parts of a split GGUF, which llama.cpp finds beside the first; else just this one."""
    split = _SPLIT.fullmatch(reference.file)
    if split is None:
        return [reference]
    count = int(split["count"])
    names = [f"{split['stem']}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
    others = [name for name in names if name != reference.file]
    return [reference, *(reference._replace(file=name) for name in others)]


def _download(reference: ModelReference, **options: Any) -> Path:
    from huggingface_hub import hf_hub_download, snapshot_download

    if reference.file:
        return Path(hf_hub_download(reference.repo, reference.file, revision=reference.revision, **options))
    return Path(snapshot_download(reference.repo, revision=reference.revision, **options))


def _link(target: Path, link: Path) -> None:
    """Let ``link`` point to ``target``, replacing an older link in one step."""
    make_folders(str(link.parent))
    fresh = link.with_name(f".{link.name}.{os.getpid()}.link")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _size(reference: ModelReference) -> int:
    """Bytes that have to come over the network; what is in the cache already does not count."""
    from huggingface_hub import hf_hub_download, snapshot_download

    if not reference.file:
        planned = snapshot_download(reference.repo, revision=reference.revision, dry_run=True)
    else:
        planned = [
            hf_hub_download(part.repo, part.file, revision=part.revision, dry_run=True) for part in _parts(reference)
        ]
    return sum(item.file_size or 0 for item in planned if item.will_download)


def _require_hub(reference: ModelReference) -> None:
    """Raise at once when nobody answers: ``huggingface_hub`` itself would try for half a minute."""
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    try:
        httpx.head(constants.ENDPOINT, timeout=_CONNECT_SECONDS)
    except httpx.TransportError as error:
        raise _explain(reference, error) from error


def _bar(on_progress: OnProgress, total: int, doing: str) -> type[Any]:
    """A progress bar class for ``huggingface_hub`` that draws nothing and adds up the bytes of all files."""
    from huggingface_hub import utils

    base: Any = utils.tqdm  # type: ignore[attr-defined, unused-ignore]
    done = 0
    reported = 0.0
    lock = threading.Lock()

    class Silent(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **keywords: Any) -> None:
            self._counts_bytes = keywords.get("unit") == "B"
            nonlocal done
            if self._counts_bytes:
                with lock:
                    done += int(keywords.get("initial") or 0)
            super().__init__(*args, **{**keywords, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal done, reported
            if self._counts_bytes:
                with lock:
                    done += int(n or 0)
                    due = time.monotonic() - reported > _REPORT_SECONDS or done >= total
                    if due:
                        reported = time.monotonic()
                if due:
                    on_progress(Progress(done, total, doing))

    return Silent


def _explain(reference: ModelReference, error: Exception) -> LasError:
    """Our error for the hub's: the first of the chain that we know speaks."""
    import httpx
    from huggingface_hub import constants

    for link in _chain(error):
        if (known := _known(reference, link)) is not None:
            return known
    elsewhere = "give --model a file, or smollm2-135m, which comes from the Python package index"
    if constants.HF_HUB_OFFLINE:
        return DownloadFailed(
            f"{reference.file or reference.repo} is not in the cache and HF_HUB_OFFLINE is set.",
            remedy=f"unset HF_HUB_OFFLINE, or {elsewhere}",
        )
    innermost = list(_chain(error))[-1]
    return DownloadFailed(
        f"Hugging Face cannot be reached at {constants.ENDPOINT}."
        if isinstance(error, httpx.TransportError)
        else f"The download of {reference.file or reference.repo} from {constants.ENDPOINT} broke off.",
        cause=f"{type(innermost).__name__}: {innermost}".splitlines()[0][:200],
        remedy=f"check the network or set HF_ENDPOINT to a mirror; or {elsewhere}",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first: the hub says "not in the cache" around the real reason."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _known(reference: ModelReference, error: BaseException) -> LasError | None:
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{reference.repo}"
    match error:
        case errors.GatedRepoError():
            return DownloadFailed(
                f"The repository {reference.repo} is gated.",
                cause="its licence has to be accepted first, and your token has to be known here",
                remedy=f"accept it on {word(page)}, then set HF_TOKEN or run: hf auth login",
            )
        case errors.RepositoryNotFoundError():
            return UnknownModel(
                f"Hugging Face has no repository {reference.repo}, or it is private.",
                cause="there is no file of that name here either" if reference.text == reference.repo else None,
                remedy="check the name; for a private repository set HF_TOKEN or run: hf auth login",
            )
        case errors.RevisionNotFoundError():
            return UnknownModel(f"The repository {reference.repo} has no revision {reference.revision}.")
        case errors.RemoteEntryNotFoundError():
            return UnknownModel(
                f"The repository {reference.repo} has no file {reference.file}.",
                remedy=f"look at {word(f'{page}/tree/{reference.revision}')}",
            )
        case OSError(errno=errno.ENOSPC):
            return DownloadFailed(
                "The disk filled up while the model was downloaded.",
                cause=f"it is kept in {constants.HF_HUB_CACHE}",
                remedy="free some space and run the same command, or set HF_HOME to another disk",
            )
        case _:
            return None
