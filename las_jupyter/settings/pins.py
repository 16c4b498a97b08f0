"""
What a user pinned by its content: manifests that may run natively, and project files that may choose programs.

One file, ``trusted.json`` beside the user's settings (0600). It keeps the text that was trusted, so that a change can
be named line by line.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from las_jupyter.settings.own import check_own, read_own, user_file
from las_jupyter.state.files import LARGEST, make_folders, write_atomic

PINS = "trusted.json"
_SHOWN = 8


class Pin(NamedTuple):
    """What was trusted."""

    content_hash: str
    text: str


def content_hash(data: bytes) -> str:
    """What a pin compares."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def pins_file() -> Path:
    """Where the pins are kept."""
    return user_file().with_name(PINS)


def pins() -> dict[str, Pin]:
    """What is pinned, by path. A damaged file pins nothing. Raises ``InvalidSettings`` when others could write it."""
    place = pins_file()
    try:
        content = json.loads(read_own(place, LARGEST) or b"{}")
        return {
            path: Pin(str(row["sha256"]), str(row["text"]))
            for path, row in content.items()
            if isinstance(row, dict) and {"sha256", "text"} <= row.keys()
        }
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def pin(file: Path, data: bytes) -> str:
    """Pin ``data`` for ``file``; its hash. Raises ``InvalidSettings`` where others could change the pins."""
    pinned = content_hash(data)
    _write({**pins(), str(file): Pin(pinned, data.decode("utf-8-sig"))})
    return pinned


def unpin(file: Path) -> bool:
    """Take the pin of ``file`` back; whether there was one."""
    kept = pins()
    had = kept.pop(str(file), None) is not None
    if had:
        _write(kept)
    return had


def changes(before: str, after: str) -> tuple[str, ...]:
    """The lines that differ, as ``- old`` and ``+ new``."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    found = [f"{line[0]} {line[1:].strip()}" for line in list(lines)[2:] if line[0] in "+-" and line[1:].strip()]
    return (*found[:_SHOWN], f"and {len(found) - _SHOWN} more lines") if len(found) > _SHOWN else tuple(found)


def _write(kept: dict[str, Pin]) -> None:
    place = pins_file()
    make_folders(str(place.parent))
    check_own(place.parent)
    content = {path: {"sha256": each.content_hash, "text": each.text} for path, each in sorted(kept.items())}
    write_atomic(str(place), json.dumps(content, indent=1, ensure_ascii=False).encode(), mode=0o600, sync=True)
