"""
Whether settings that were read a moment ago still are what reading them would give.

An open panel asks three times a second, and parsing takes milliseconds. What settings depend on can be asked in a tenth
of one: the variables, and of every file and folder that is read or judged who owns it, its mode, size and times.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Any, NamedTuple

from las_jupyter.settings.own import user_file
from las_jupyter.settings.pins import PINS
from las_jupyter.settings.project import NAMES

_PLACES = ("HOME", "XDG_CONFIG_HOME")
_SETTLED = 100_000_000
"""Nanoseconds. A file may change twice within one tick of its clock, a hundredth of a second on some file systems."""


class Fingerprint(NamedTuple):
    """What settings were read from, and whether that is old enough for a second change to show."""

    parts: tuple[Any, ...]
    settled: bool


def fingerprint(start: str, prefix: str) -> Fingerprint | None:
    """Of the settings of who works in ``start``; None where they depend on more than can be asked so."""
    own = str(user_file())
    folder = os.path.dirname(own)
    if os.path.lexists(os.path.join(folder, "config.yaml")):
        return None  # what it means depends on folders of a server that may be here
    variables = tuple(sorted(each for each in os.environ.items() if each[0].startswith(prefix) or each[0] in _PLACES))
    above = _with_parents(start)
    files = [os.path.join(each, name) for each in above for name in NAMES]
    paths = [*files, own, os.path.join(folder, PINS), *above, *_with_parents(folder)]
    seen = [_look(path) for path in paths]
    newest = max((each[-1] for each in seen if each is not None), default=0)
    return Fingerprint((start, variables, *seen), time.time_ns() - newest > _SETTLED)


def _with_parents(folder: str) -> list[str]:
    folders = [folder]
    while (parent := os.path.dirname(folder)) != folder:
        folder = parent
        folders.append(folder)
    return folders


def _look(path: str) -> tuple[int, ...] | None:
    """Of a folder not its times, which every file that is made in it changes; of a link both ends."""
    try:
        itself = os.lstat(path)
        found = os.stat(path) if stat.S_ISLNK(itself.st_mode) else itself
    except OSError:
        return None
    owned = (found.st_ino, found.st_uid, found.st_gid, found.st_mode, itself.st_ino, itself.st_uid)
    if stat.S_ISDIR(found.st_mode):
        return (*owned, 0)
    return (*owned, found.st_size, found.st_mtime_ns, itself.st_ctime_ns, found.st_ctime_ns)
