"""
Which manifests may run natively: the bundled ones, and those a user pinned by the hash of their content.

The pins are one file, ``trusted.json`` beside the user's settings (0600). It keeps the text that was trusted,
so that a change can be named line by line.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests.load import parse_manifest, read_file
from las_jupyter.settings.files import user_file
from las_jupyter.state.files import make_folders, read_bytes, write_atomic

_SHOWN = 8


class Standing(NamedTuple):
    """Whether a manifest may run natively, why or why not, and the lines that changed since it was trusted."""

    trusted: bool
    why: str
    changes: tuple[str, ...] = ()


class Pin(NamedTuple):
    """What was trusted."""

    content_hash: str
    text: str


BUNDLED = Standing(True, "it comes with las_jupyter")


def content_hash(data: bytes) -> str:
    """What a pin compares."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def pins_file() -> Path:
    """Where the pins are kept."""
    return user_file().with_name("trusted.json")


def pins() -> dict[str, Pin]:
    """What is pinned, by path. A damaged file pins nothing."""
    try:
        content = json.loads(read_bytes(str(pins_file())) or b"{}")
        return {
            path: Pin(str(row["sha256"]), str(row["text"]))
            for path, row in content.items()
            if isinstance(row, dict) and {"sha256", "text"} <= row.keys()
        }
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def trust(path: str | Path) -> str:
    """Pin the manifest in ``path`` as it is now; the sentence that says so. Raises ``InvalidManifest``."""
    file = _resolved(path)
    data = read_file(file)
    manifest = parse_manifest(data, str(path))
    pinned = content_hash(data)
    _write({**pins(), str(file): Pin(pinned, data.decode("utf-8-sig"))})
    return f"{manifest.name} from {file} may run natively as long as the file stays as it is ({pinned[:19]}…)."


def distrust(path: str | Path) -> bool:
    """Take the pin of ``path`` back; whether there was one."""
    kept = pins()
    had = kept.pop(str(_resolved(path)), None) is not None
    if had:
        _write(kept)
    return had


def standing(path: Path, data: bytes, pinned: dict[str, Pin] | None = None) -> Standing:
    """How ``data`` of ``path`` stands with the pins."""
    pin = (pins() if pinned is None else pinned).get(str(_resolved(path)))
    if pin is None:
        return Standing(False, "it is neither bundled nor trusted")
    actual = content_hash(data)
    if actual == pin.content_hash:
        return Standing(True, "its content is pinned")
    changes = _changes(pin.text, data.decode("utf-8-sig", errors="replace"))
    return Standing(False, f"it was changed since it was trusted: {'; '.join(changes[:3]) or actual[:19]}", changes)


def _changes(before: str, after: str) -> tuple[str, ...]:
    """The lines that differ, as ``- old`` and ``+ new``."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    found = [f"{line[0]} {line[1:].strip()}" for line in list(lines)[2:] if line[0] in "+-" and line[1:].strip()]
    return (*found[:_SHOWN], f"and {len(found) - _SHOWN} more lines") if len(found) > _SHOWN else tuple(found)


def _resolved(path: str | Path) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidManifest(f"{path} cannot be read.", cause=str(error), remedy="check the path") from error


def _write(kept: dict[str, Pin]) -> None:
    place = pins_file()
    make_folders(str(place.parent))
    content = {path: {"sha256": pin.content_hash, "text": pin.text} for path, pin in sorted(kept.items())}
    write_atomic(str(place), json.dumps(content, indent=1, ensure_ascii=False).encode(), mode=0o600, sync=True)
