"""
Deleting what is ours and nothing else: by the names that we give, never through a link, and never a tree as such.

A path that was joined from settings may be a person's folder. What is not known to be ours stays, and so does the
folder it is in.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

_INSTANCE = {
    "spec.json", "secrets.json", "state.json", "events.jsonl", "lock", "start.lock", "pull.json", "cgroups",
    "supervisor.err", "control.sock", "control.pipe", "podman.env",
}  # fmt: skip
_SECRET, _ASIDE, _UNFINISHED = "secret-", ".corrupt-", ".tmp"
_NETWORK_REMAINS = ".nfs"

IsOurs = Callable[[str], bool]


def is_instance_file(name: str) -> bool:
    """Whether a file of that name in an instance's folder is one that we write."""
    name = _finished(name)
    aside = name.rpartition(_ASIDE)
    if aside[0] and aside[2].rstrip("+").isdigit():
        name = aside[0]
    return name in _INSTANCE or (name.startswith(_SECRET) and len(name) > len(_SECRET))


def without_unfinished(is_ours: IsOurs) -> IsOurs:
    """``is_ours``, also of what a writer that was killed left beside such a file."""
    return lambda name: is_ours(_finished(name))


def _finished(name: str) -> str:
    """``state.json`` of ``state.json.4711.tmp``."""
    if name.endswith(_UNFINISHED):
        stem, _, number = name.removesuffix(_UNFINISHED).rpartition(".")
        if stem and number.isdigit():
            return stem
    return name


def foreign_names(folder: str, is_ours: IsOurs) -> list[str]:
    """What is in ``folder`` and not ours, sorted; nothing where there is no folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    # A network file system keeps what was deleted and is still open under a name of its own.
    return sorted(name for name in names if not is_ours(name) and not name.startswith(_NETWORK_REMAINS))


def forget_files(folder: str, is_ours: IsOurs, is_ours_inside: IsOurs | None = None) -> tuple[str, ...]:
    """
    Remove the files in ``folder`` whose names are ours, then the folder, if nothing else is in it.

    A folder in it whose name is ours is treated in the same way, by ``is_ours_inside``. Returns the paths of what
    stays: of foreign names, links, and everything when ``folder`` is a link or not this user's.
    """
    if not os.path.lexists(folder):
        return ()
    try:
        fd = _opened(folder, None)
    except OSError:
        return (folder,)
    try:
        for name in filter(is_ours, os.listdir(fd)):
            _forget(fd, name, is_ours_inside)
        stays = tuple(os.path.join(folder, name) for name in sorted(os.listdir(fd)))
    finally:
        os.close(fd)
    try:
        os.rmdir(folder)  # refused by the kernel as long as anything is in it
    except OSError:
        return stays or (folder,)
    return ()


def _opened(name: str, folder_fd: int | None) -> int:
    """The folder, open. Raises ``OSError`` when it is a link, no folder, or somebody else's."""
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    if os.fstat(fd).st_uid != os.getuid():
        os.close(fd)
        raise PermissionError(f"{name} belongs to somebody else")
    return fd


def _forget(fd: int, name: str, is_ours_inside: IsOurs | None) -> None:
    try:
        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode):
            if not stat.S_ISLNK(mode):  # we make none
                os.unlink(name, dir_fd=fd)
            return
        if is_ours_inside is None:
            return
        inner = _opened(name, fd)
        try:
            for each in filter(is_ours_inside, os.listdir(inner)):
                _forget(inner, each, None)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=fd)
    except OSError:
        pass  # it stays, and is told as such
