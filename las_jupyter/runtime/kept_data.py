"""
What outlives an instance: its data, and the secrets without which the data cannot be opened.

A database stores its password at its first start. So the two are kept together and deleted together.

What a server keeps has names that nobody knows, so it is the folder that must be ours to be deleted: that we made it is
noted, by its number in the file system, in a folder beside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil

from las_jupyter.core.advice import word
from las_jupyter.core.errors import LasError
from las_jupyter.core.secrecy import FROM_ENV
from las_jupyter.state.files import make_folders, read_bytes, write_atomic
from las_jupyter.state.paths import StatePaths, make_private


def exists(paths: StatePaths, name: str) -> bool:
    """Whether there is data of that name."""
    return os.path.lexists(paths.data(name))


def secrets(paths: StatePaths, name: str) -> dict[str, str]:
    """The secrets of the instance, or those kept with its data."""
    return _read(paths.secrets(name)) or (_read(paths.kept_secrets(name)) if exists(paths, name) else {})


def keep_secrets(paths: StatePaths, name: str, *, but: tuple[str, ...] = ()) -> None:
    """Before the instance is forgotten: its secrets stay where its data stays, those of ``but`` left out."""
    found = {
        each: value for each, value in secrets(paths, name).items() if each not in but and not each.startswith(FROM_ENV)
    }
    if not found or not exists(paths, name):
        return
    try:
        make_private(os.path.dirname(paths.kept_secrets(name)))
        write_atomic(paths.kept_secrets(name), json.dumps(found).encode(), sync=True)
    except OSError as error:
        raise LasError(
            f"{name} is not forgotten: its data stays, and the key to it cannot be kept.",
            cause=f"{os.strerror(error.errno or 0)} ({paths.kept_secrets(name)})",
            remedy=f"df -h {word(paths.state_dir)}",
        ) from error


def make_folder(paths: StatePaths, name: str) -> None:
    """
    Make the folder for its data and note that we did; one that is there and not empty is used as it is.

    Raises ``OSError``.
    """
    folder = paths.data(name)
    make_folders(os.path.dirname(_note(paths, name)))
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if os.path.islink(folder) or os.listdir(folder):
            return
    write_atomic(_note(paths, name), str(os.lstat(folder).st_ino).encode())


def _note(paths: StatePaths, name: str) -> str:
    return os.path.join(os.path.dirname(paths.data(name)), ".made", name)


def check_ours(paths: StatePaths, name: str) -> None:
    """Raise ``LasError`` with the reason where there is data that may not be deleted from here."""
    why = _why_not_ours(paths, name) if exists(paths, name) else None
    if why is not None:
        remedy = f"look at it, then rm -r {word(paths.data(name))}"
        raise LasError(f"The data of {name} was not deleted.", cause=why, remedy=remedy)


def delete(paths: StatePaths, name: str) -> None:
    """
    Delete the data, then the secrets kept with it. A link is never followed.

    Raises ``LasError`` saying why it may not be deleted, or naming what could not be; the secrets stay then.
    """
    folder = paths.data(name)
    check_ours(paths, name)
    try:
        if exists(paths, name):
            shutil.rmtree(folder)
    except OSError as error:
        # A container's own users look like strangers from outside.
        raise LasError(
            f"Not all data of {name} was deleted.",
            cause=f"{error.strerror} ({error.filename})",
            remedy=f"sudo rm -r {word(folder)}, or podman unshare rm -r {word(folder)}",
        ) from error
    for path in (_note(paths, name), paths.kept_secrets(name)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _why_not_ours(paths: StatePaths, name: str) -> str | None:
    folder = paths.data(name)
    if os.path.islink(folder):
        return f"{folder} is a link to {os.readlink(folder)}"
    if not os.path.isdir(folder):
        return f"{folder} is no folder"
    mounted = _mounted_below(folder)
    if mounted:
        return f"something is mounted at {mounted}"
    if (read_bytes(_note(paths, name)) or b"").strip() != str(os.lstat(folder).st_ino).encode():
        return f"{folder} was not made by las_jupyter, or by a version that did not note it"
    return None


def _mounted_below(folder: str) -> str | None:
    """A mount at ``folder`` or in it: deleting would go on in another file system, or in another part of this one."""
    real = os.path.realpath(folder)
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            points = [line.split(" ")[4] for line in file]
    except OSError:
        return None
    plain = (re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point) for point in points)
    return next((point for point in plain if point == real or point.startswith(f"{real}/")), None)


def size(folder: str) -> int:
    """Bytes in all files below ``folder`` that we may look at."""
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(os.path.join(place, file)).st_size
            except OSError:
                continue
    return total


def _read(path: str) -> dict[str, str]:
    try:
        found = json.loads(read_bytes(path) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
