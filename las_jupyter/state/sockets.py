"""
A Unix socket at a path of any length.

Of a socket's path the kernel takes about a hundred bytes. Through an open descriptor of its folder every socket has a
short one, so none has to lie in a folder of well-known name where everybody may write, and somebody was first. Where
there is no ``/proc`` (macOS, for containers) it lies in a folder whose name nobody could know, and a link in its place
says where.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Protocol

from las_jupyter.state.paths import fits

_DESCRIPTORS = "/proc/self/fd"
_ELSEWHERE = "/tmp"  # noqa: S108 - a new folder in it, of a random name and our own


class Bindable(Protocol):
    """As much of a socket as is needed; the supervisor has one that brings less along."""

    def bind(self, address: str, /) -> None: ...


class Connectable(Protocol):
    def connect(self, address: str, /) -> None: ...


def bind(sock: Bindable, path: str) -> None:
    """Bind ``sock`` to ``path``, where nothing is. Raises ``OSError``."""
    if fits(path):
        sock.bind(path)
    elif os.path.isdir(_DESCRIPTORS):
        _through_folder(path, sock.bind)
    else:
        _bind_elsewhere(sock, path)


def connect(sock: Connectable, path: str) -> None:
    """Connect ``sock`` to what is bound to ``path``. Raises ``OSError``."""
    if fits(path):
        sock.connect(path)
    elif os.path.islink(path):
        sock.connect(_where(path))
    else:
        _through_folder(path, sock.connect)


def unlink(path: str) -> None:
    """Remove the socket at ``path``, and the folder made for it. Raises ``OSError``; its absence is no error."""
    try:
        if os.path.islink(path):
            elsewhere = _where(path)
            os.unlink(elsewhere)
            os.rmdir(os.path.dirname(elsewhere))
    except OSError:
        pass  # whoever cleans that folder was first
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _through_folder(path: str, use: Callable[[str], None]) -> None:
    folder, name = os.path.split(path)
    fd = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"{_DESCRIPTORS}/{fd}/{name}")
    finally:
        os.close(fd)


def _bind_elsewhere(sock: Bindable, path: str) -> None:
    folder = f"{_ELSEWHERE}/las-{os.urandom(16).hex()}"
    os.mkdir(folder, 0o700)  # never one that is there: not even a link
    os.chmod(folder, 0o700)  # whatever the umask, which is narrow here for the socket's sake
    elsewhere = f"{folder}/{os.path.basename(path)}"
    try:
        sock.bind(elsewhere)
        os.symlink(elsewhere, path)
    except OSError:
        if os.path.lexists(elsewhere):
            os.unlink(elsewhere)
        os.rmdir(folder)
        raise


def _where(path: str) -> str:
    """What the link at ``path`` says, if nobody but us can have put it there. Raises ``OSError``."""
    elsewhere = os.readlink(path)
    folder = os.lstat(os.path.dirname(elsewhere))
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.getuid() or folder.st_mode & 0o077:
        raise PermissionError(1, f"{os.path.dirname(elsewhere)} is not a private folder of yours")
    return elsewhere
