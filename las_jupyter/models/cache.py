"""
The folder of fetched models: a file is in it whole, with its checksum beside it, or not at all.

A download happens in a hidden folder beside the target and ends with a rename. The lock makes two processes
that want the same model wait for one download.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import DownloadFailed
from las_jupyter.models.seen import remember, sha256_of
from las_jupyter.state.custody import fault_of, fault_of_folder_for
from las_jupyter.state.files import make_folders, plain_here, read_plain
from las_jupyter.state.paths import UnsafeFolder

_LOCK_POLL_SECONDS = 0.2
_NOTE_AT_MOST = 64 * 1024  # bytes of a checksum and a name


class Progress(NamedTuple):
    """How far a download is: ``done`` of ``total`` bytes (None: not known yet), and ``doing`` in words."""

    done: int
    total: int | None
    doing: str


OnProgress = Callable[[Progress], None]


def default_cache_dir() -> Path:
    """Where fetched models go unless ``models.cache_dir`` says otherwise."""
    import platformdirs

    return Path(platformdirs.user_cache_path("las_jupyter")) / "models"


def checksum_file(model: Path) -> Path:
    """The file beside ``model`` that holds its checksum, as ``sha256sum`` writes and checks it."""
    return model.with_name(model.name + ".sha256")


def recorded_checksum(model: Path) -> str | None:
    """The sha256 recorded when ``model`` was fetched, or None."""
    try:
        return read_plain(str(checksum_file(model)), _NOTE_AT_MOST).decode().split()[0]
    except (OSError, ValueError, IndexError):
        return None


def is_complete(model: Path, *, size: int | None = None, sha256: str | None = None) -> bool:
    """
    Whether ``model`` is the file that was fetched: it has the checksum beside it, and ``size`` and ``sha256`` if known.

    A file that we have not seen before is read whole, once.
    """
    noted = recorded_checksum(model)
    if noted is None or noted != (sha256 or noted):
        return False
    try:
        return (size is None or model.stat().st_size == size) and sha256_of(model) == noted
    except OSError:
        return False


def check_hands(model: Path) -> None:
    """
    Raise ``UnsafeFolder`` when somebody else could have put ``model`` where it is, or could put another there.

    Of a link only the place where it stands is looked at: it leads into the cache that its user named to the hub.
    """
    there = model.is_symlink() or model.exists()
    fault = fault_of(str(model), follow=False) if there else fault_of_folder_for(str(model))
    if fault is not None:
        raise UnsafeFolder(
            f"{model} is not believed, for others could change it.",
            cause=f"{fault.path}: {fault.why}",
            remedy=f"{fault.remedy}, or set models.cache_dir to a folder of your own",
        )


def put(finished: Path, model: Path, sha256: str) -> None:
    """Move the ``finished`` download to its place. The checksum goes first: the file's rename is what counts."""
    note = finished.with_name("checksum")
    note.write_text(f"{sha256}  {model.name}\n")
    for each in (note, finished):
        each.chmod(each.stat().st_mode & 0o755)  # whatever the umask is, nobody else may change it
    note.replace(checksum_file(model))
    finished.replace(model)
    remember(model, sha256)


def work_dir(model: Path) -> Path:
    """The hidden folder beside ``model`` in which it is downloaded."""
    return model.with_name(f".{model.name}.partial")


@contextmanager
def only_one_fetches(model: Path, on_progress: OnProgress, total: int | None) -> Iterator[None]:
    """
    Hold the lock of ``model``; while another process has it, report that process's bytes.

    The lock goes with its process, so nobody waits for a dead one. The lock file stays: removing it would let
    two processes lock two different files.
    """
    try:
        make_folders(str(model.parent))
        lock = plain_here(str(model.with_name(f".{model.name}.lock")), os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise DownloadFailed(
            f"The model folder {model.parent} cannot be written.",
            cause=error.strerror,
            remedy="set models.cache_dir to a folder you may write to",
        ) from error
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                on_progress(Progress(bytes_below(work_dir(model)), total, "waiting for another download of it"))
                time.sleep(_LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(lock)


@contextmanager
def fresh_work_dir(model: Path) -> Iterator[Path]:
    """An empty folder to download ``model`` in, gone at the end. Call with the lock held: old remains are removed."""
    folder = work_dir(model)
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise DownloadFailed(
            f"{folder} cannot be made anew to download into.", cause=error.strerror, remedy=f"rm -r {word(str(folder))}"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bytes_below(folder: Path) -> int:
    """Bytes of all files below ``folder`` now; files may come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:
                continue
    return total


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise ``DownloadFailed`` with the numbers unless ``needed`` bytes are free where ``folder`` is, or will be."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DownloadFailed(
            f"There is not enough disk space for {what}.",
            cause=f"it needs {_megabytes(needed)} and {place} has {_megabytes(free)} free",
            remedy="free some space, or set models.cache_dir to a folder on another disk",
        )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
