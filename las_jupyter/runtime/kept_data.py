"""
What outlives an instance: its data, and the secrets without which the data cannot be opened.

A database stores its password at its first start. So the two are kept together and deleted together.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil

from las_jupyter.core.advice import word
from las_jupyter.core.errors import LasError
from las_jupyter.core.secrecy import FROM_ENV
from las_jupyter.state.files import read_bytes, write_atomic
from las_jupyter.state.paths import StatePaths, make_private


def exists(paths: StatePaths, name: str) -> bool:
    """Whether there is data of that name."""
    return os.path.lexists(paths.data(name))


def secrets(paths: StatePaths, name: str) -> dict[str, str]:
    """The secrets of the instance, or those kept with its data."""
    return _read(paths.secrets(name)) or (_read(paths.kept_secrets(name)) if exists(paths, name) else {})


def keep_secrets(paths: StatePaths, name: str) -> None:
    """Before the instance is forgotten: its secrets stay where its data stays."""
    found = {key: value for key, value in secrets(paths, name).items() if not key.startswith(FROM_ENV)}
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


def delete(paths: StatePaths, name: str) -> None:
    """
    Delete the data, then the secrets kept with it. A link is never followed.

    Raises ``LasError`` naming what could not be deleted; the secrets stay then.
    """
    folder = paths.data(name)
    if os.path.islink(folder):
        raise LasError(
            f"The data of {name} was not deleted.",
            cause=f"{folder} is a link to {os.readlink(folder)}",
            remedy=f"look at it, then rm {word(folder)}",
        )
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
    with contextlib.suppress(FileNotFoundError):
        os.unlink(paths.kept_secrets(name))


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
