"""
Which manifests may run natively: the bundled ones, and those a user pinned by the hash of their content.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests.load import parse_manifest, read_file
from las_jupyter.settings.pins import Pin, content_hash, pin, pins, pins_file, unpin
from las_jupyter.settings.pins import changes as changes_since

__all__ = ["BUNDLED", "Pin", "Standing", "content_hash", "distrust", "pins", "pins_file", "standing", "trust"]


class Standing(NamedTuple):
    """Whether a manifest may run natively, why or why not, and the lines that changed since it was trusted."""

    trusted: bool
    why: str
    changes: tuple[str, ...] = ()


BUNDLED = Standing(True, "it comes with las_jupyter")


def trust(path: str | Path) -> str:
    """Pin the manifest in ``path`` as it is now; the sentence that says so. Raises ``InvalidManifest``."""
    file = _resolved(path)
    data = read_file(file)
    manifest = parse_manifest(data, str(path))
    pinned = pin(file, data)
    return f"{manifest.name} from {file} may run natively as long as the file stays as it is ({pinned[:19]}…)."


def distrust(path: str | Path) -> bool:
    """Take the pin of ``path`` back; whether there was one."""
    return unpin(_resolved(path))


def standing(path: Path, data: bytes, pinned: dict[str, Pin] | None = None) -> Standing:
    """How ``data`` of ``path`` stands with the pins."""
    known = (pins() if pinned is None else pinned).get(str(_resolved(path)))
    if known is None:
        return Standing(False, "it is neither bundled nor trusted")
    actual = content_hash(data)
    if actual == known.content_hash:
        return Standing(True, "its content is pinned")
    changes = changes_since(known.text, data.decode("utf-8-sig", errors="replace"))
    return Standing(False, f"it was changed since it was trusted: {'; '.join(changes[:3]) or actual[:19]}", changes)


def _resolved(path: str | Path) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidManifest(f"{path} cannot be read.", cause=str(error), remedy="check the path") from error
