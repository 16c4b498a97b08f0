"""
Which image a name meant when it was last run: whoever has a registry may give a tag to another one.

One small file for each name, in the folder ``images`` of the state; it is a note, and nothing fails for the want of it.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

from las_jupyter.state.files import read_value, write_value


class Seen(NamedTuple):
    """What ``reference`` was: ``exact`` as ``repository@sha256:…``, and another ``before`` that, if ever."""

    reference: str = ""
    exact: str = ""
    before: str = ""


def seen(state_dir: str, reference: str) -> Seen:
    """What is known of the name; empty fields when nothing is."""
    try:
        found = read_value(_path(state_dir, reference), Seen)
    except OSError:
        found = None
    return found if found is not None and found.reference == reference else Seen(reference)


def remember(state_dir: str, reference: str, exact: str) -> None:
    """Note what the name means now. One that was built here, or that holds its digest, cannot become another unseen."""
    if not state_dir or "@" in reference or "@" not in exact:
        return
    known = seen(state_dir, reference)
    if known.exact == exact:
        return
    try:
        os.makedirs(os.path.join(state_dir, "images"), 0o700, exist_ok=True)
        write_value(_path(state_dir, reference), Seen(reference, exact, known.exact))
    except OSError:
        pass


def _path(state_dir: str, reference: str) -> str:
    return os.path.join(state_dir, "images", hashlib.sha256(reference.encode()).hexdigest()[:32] + ".json")
