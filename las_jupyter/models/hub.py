"""
Models of Hugging Face, through ``huggingface_hub`` and in its own cache.

That cache is shared with transformers and vLLM, so nothing is downloaded twice; it honours ``HF_HOME``,
``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE``, and resumes what was interrupted.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from las_jupyter.core.errors import DownloadFailed, LasError, UnknownModel
from las_jupyter.models.cache import OnProgress, Progress, require_space
from las_jupyter.models.reference import ModelReference

_REPORT_SECONDS = 0.2
_CONNECT_SECONDS = 10.0


def cache_folder() -> str:
    """Where ``huggingface_hub`` keeps its files."""
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def cached_path(reference: ModelReference) -> Path | None:
    """The file or the whole repository, if all of it is in the cache; asks nobody."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        if reference.file:
            path = hf_hub_download(reference.repo, reference.file, revision=reference.revision, local_files_only=True)
        else:
            path = snapshot_download(reference.repo, revision=reference.revision, local_files_only=True)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
    except HFValidationError as error:
        raise UnknownModel(f"{reference.repo!r} cannot be a Hugging Face repository", cause=str(error)) from error
    return Path(path)


def fetch(reference: ModelReference, on_progress: OnProgress) -> Path:
    """Download the file or the repository. Raises ``DownloadFailed``, or ``UnknownModel`` when the hub has none."""
    from huggingface_hub import hf_hub_download, snapshot_download

    where: dict[str, Any] = {"repo_id": reference.repo, "revision": reference.revision}
    _require_hub(reference)
    try:
        total = _size(reference, where)
        require_space(Path(cache_folder()), total, reference.short_name)
        bar = _bar(on_progress, total, f"downloading {reference.file or reference.repo}")
        if reference.file:
            return Path(hf_hub_download(filename=reference.file, tqdm_class=bar, **where))
        return Path(snapshot_download(tqdm_class=bar, **where))
    except LasError:
        raise
    except Exception as error:
        raise _explain(reference, error) from error


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


def _size(reference: ModelReference, where: dict[str, Any]) -> int:
    """Bytes that have to come over the network; what is in the cache already does not count."""
    from huggingface_hub import hf_hub_download, snapshot_download

    if reference.file:
        planned = [hf_hub_download(filename=reference.file, dry_run=True, **where)]
    else:
        planned = snapshot_download(dry_run=True, **where)
    return sum(item.file_size for item in planned if item.will_download)


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
    from huggingface_hub import constants, errors

    what = reference.file or reference.repo
    elsewhere = "give --model a file, or smollm2-135m, which comes from the Python package index"
    if isinstance(error, errors.GatedRepoError):
        return DownloadFailed(
            f"the repository {reference.repo} is gated",
            cause="its licence has to be accepted first, and your token has to be known here",
            remedy=f"accept it on {constants.ENDPOINT}/{reference.repo}, then set HF_TOKEN or run: hf auth login",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return UnknownModel(
            f"Hugging Face has no repository {reference.repo}, or it is private",
            cause="there is no file of that name here either" if reference.text == reference.repo else None,
            remedy="check the name; for a private repository set HF_TOKEN or run: hf auth login",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return UnknownModel(f"the repository {reference.repo} has no revision {reference.revision}")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return UnknownModel(
            f"the repository {reference.repo} has no file {reference.file}",
            remedy=f"look at {constants.ENDPOINT}/{reference.repo}/tree/{reference.revision}",
        )
    if constants.HF_HUB_OFFLINE or isinstance(error, errors.OfflineModeIsEnabled):
        return DownloadFailed(
            f"{what} is not in the cache and HF_HUB_OFFLINE is set",
            remedy=f"unset HF_HUB_OFFLINE, or {elsewhere}",
        )
    return DownloadFailed(
        f"Hugging Face cannot be reached at {constants.ENDPOINT}",
        cause=_first_line(error),
        remedy=f"check the network or set HF_ENDPOINT to a mirror; or {elsewhere}",
    )


def _first_line(error: BaseException) -> str:
    """The innermost cause tells most: the outer ones only say that the file is not in the cache."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
