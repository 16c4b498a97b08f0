"""
Writing a file so that a reader sees the old or the new one, whole; and reading one that may be anything.

Where a file should be there may stand a pipe, a device or something without end. What is opened here is a plain file,
at once, and never more of it is read than was asked for.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Any, TypeVar

from las_jupyter.core.wire import from_json, to_line

T = TypeVar("T")

LARGEST = 16 * 2**20
"""Bytes of a file that we wrote ourselves; the largest are journals of a few hundred kilobytes."""
_AT_ONCE = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link"),
)


class NoPlainFile(OSError):
    """What has the path is no file that can be read to its end."""

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(errno.EINVAL, f"it is {kind}, not a file", path)


class TooLarge(OSError):
    """The file is larger than anything that could be meant."""

    def __init__(self, path: str, most: int) -> None:
        super().__init__(errno.EFBIG, f"it is larger than {most // 2**20} MiB", path)


def plain(path: str, flags: int = os.O_RDONLY, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
    """
    A descriptor of the plain file ``path``, links followed; can be the ``opener`` of ``open``.

    Never waits. Raises ``NoPlainFile``, ``OSError``.
    """
    try:
        fd = os.open(path, flags | _AT_ONCE, mode, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EISDIR, errno.ELOOP, errno.EMLINK):
            raise NoPlainFile(path, _kind(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode)) from error
        raise
    found = os.fstat(fd).st_mode
    if stat.S_ISREG(found):
        return fd
    os.close(fd)
    raise NoPlainFile(path, _kind(found))


def plain_here(path: str, flags: int = os.O_RDONLY, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
    """``plain`` of what is itself there: a link is not followed."""
    return plain(path, flags | os.O_NOFOLLOW, mode, dir_fd=dir_fd)


def _kind(mode: int) -> str:
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "something else")


def read_plain(path: str, most: int) -> bytes:
    """All of a file that somebody else may have written, links followed. Raises ``TooLarge``, ``OSError``."""
    fd = plain(path)
    try:
        return _read_all(fd, path, most)
    finally:
        os.close(fd)


def _read_all(fd: int, path: str, most: int) -> bytes:
    size = os.fstat(fd).st_size
    if size > most:
        raise TooLarge(path, most)
    data = os.read(fd, size + 1)
    while len(data) > size:  # it grows, or is a file whose size nobody knows
        size = len(data)
        data += os.read(fd, min(size, most) + 1)
        if len(data) > most:
            raise TooLarge(path, most)
    return data


def make_folders(path: str) -> None:
    """Make ``path`` and every folder above it that is missing, closed to others whatever the umask is."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        make_folders(parent)
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


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
        forget(beside)
        raise
    if sync:
        _sync_folder(os.path.dirname(path))


def forget_unfinished(path: str) -> None:
    """Delete what writers of ``path`` that were killed left beside it; only for who alone may write it."""
    folder, name = os.path.split(path)
    for entry in os.listdir(folder):
        if entry.startswith(f"{name}.") and entry.endswith(".tmp"):
            forget(os.path.join(folder, entry))


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


def forget(path: str) -> None:
    """Remove ``path`` if that can be."""
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


def read_bytes(path: str, most: int = LARGEST) -> bytes | None:
    """The content of a file of ours, or None where there is none. Raises ``OSError``; a link is not followed."""
    try:
        fd = plain_here(path)
    except FileNotFoundError:
        return None
    try:
        return _read_all(fd, path, most)
    finally:
        os.close(fd)


def write_value(path: str, value: Any, *, sync: bool = False) -> None:
    """Replace ``path`` by the JSON of a named tuple."""
    write_atomic(path, to_line(value), sync=sync)


def read_value(path: str, kind: type[T]) -> T | None:
    """
    The named tuple in ``path``; None where there is none or it is damaged, or is no file at all.

    What is damaged is moved aside as ``….corrupt-<time>``, never deleted.
    """
    try:
        data = read_bytes(path)
        return None if data is None else from_json(kind, data)
    except (NoPlainFile, TooLarge, ValueError, TypeError, RecursionError):
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
    while os.path.lexists(kept):
        kept += "+"
    os.replace(path, kept)
    return kept
