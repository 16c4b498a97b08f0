"""Writing a file so that a reader sees the old or the new one, whole."""

from __future__ import annotations

import os
import time
from typing import Any, TypeVar

from las_jupyter.core.wire import from_json, to_line

T = TypeVar("T")


def write_atomic(path: str, data: bytes, *, mode: int = 0o600, sync: bool = False) -> None:
    """Replace ``path`` by ``data``. ``sync`` waits until it would survive a power cut."""
    beside = f"{path}.{os.getpid()}.tmp"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            _write_all(fd, data)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(beside, path)
    except BaseException:
        _forget(beside)
        raise
    if sync:
        _sync_folder(os.path.dirname(path))


def forget_unfinished(path: str) -> None:
    """Delete what writers of ``path`` that were killed left beside it; only for who alone may write it."""
    folder, name = os.path.split(path)
    for entry in os.listdir(folder):
        if entry.startswith(f"{name}.") and entry.endswith(".tmp"):
            _forget(os.path.join(folder, entry))


def overwrite(path: str, data: bytes) -> None:
    """
    Write ``data`` over the blocks the file has already: for a full disk only, since a crash may leave half of it.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _write_all(fd, data)
        os.ftruncate(fd, len(data))
    except OSError:
        pass
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError:  # some network file systems cannot
        pass
    finally:
        os.close(fd)


def read_bytes(path: str) -> bytes | None:
    """The content, or None where there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        return file.read()


def write_value(path: str, value: Any, *, sync: bool = False) -> None:
    """Replace ``path`` by the JSON of a named tuple."""
    write_atomic(path, to_line(value), sync=sync)


def read_value(path: str, kind: type[T]) -> T | None:
    """
    The named tuple in ``path``; None where there is none or it is damaged.

    A damaged file is moved aside as ``….corrupt-<time>``, never deleted.
    """
    data = read_bytes(path)
    if data is None:
        return None
    try:
        return from_json(kind, data)
    except (ValueError, TypeError, RecursionError):
        move_aside(path)
        return None


def edition(path: str) -> str:
    """A word that changes whenever the file is replaced; empty where there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ""
    return f"{found.st_ino}.{found.st_mtime_ns}"


def move_aside(path: str) -> str:
    """Rename a damaged file and return its new name."""
    kept = f"{path}.corrupt-{int(time.time())}"
    while os.path.exists(kept):
        kept += "+"
    os.replace(path, kept)
    return kept
