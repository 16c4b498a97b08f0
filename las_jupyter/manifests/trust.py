"""Which manifests may run natively: the bundled ones, and those a user pinned by the hash of their content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests.load import parse_manifest
from las_jupyter.state.files import read_bytes, write_atomic
from las_jupyter.state.paths import default_paths


def content_hash(data: bytes) -> str:
    """What a pin compares."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _pins_file() -> str:
    return str(Path(default_paths().state_dir) / "trusted.json")


def pins() -> dict[str, str]:
    """Path to content hash of everything pinned."""
    data = read_bytes(_pins_file())
    try:
        return {str(key): str(value) for key, value in json.loads(data or b"{}").items()}
    except (ValueError, AttributeError):
        return {}


def trust(path: str | Path) -> str:
    """Pin the manifest in ``path`` as it is now; the sentence that says so. Raises ``InvalidManifest``."""
    file = Path(path).expanduser().resolve()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidManifest(f"{path} cannot be read.", cause=error.strerror) from error
    manifest = parse_manifest(data, str(path))
    write_atomic(_pins_file(), json.dumps({**pins(), str(file): content_hash(data)}, indent=1).encode(), sync=True)
    return (
        f"{manifest.name} from {file} may run natively as long as the file stays as it is ({content_hash(data)[:19]}…)."
    )


def standing(path: Path, data: bytes) -> tuple[bool, str]:
    """Whether ``data`` of ``path`` is pinned, and why or why not."""
    pinned = pins().get(str(path.resolve()))
    if pinned is None:
        return False, "it is neither bundled nor trusted"
    if pinned != content_hash(data):
        return False, f"it was changed since it was trusted: {content_hash(data)[:19]}… is not {pinned[:19]}…"
    return True, "its content is pinned"
