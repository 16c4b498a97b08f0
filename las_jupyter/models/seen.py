"""
Which files of the model folder we have hashed ourselves, so that each is read whole once and not at every start.

A note beside a model says what its maker wrote; this list, in the state folder, says what we saw. A file counts as the
one that was seen as long as device, inode, size and both times are those of then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from las_jupyter.state.files import plain, read_bytes, write_atomic
from las_jupyter.state.paths import default_paths

_FILE = "models.json"
_CHUNK_BYTES = 1 << 20
_ROWS_AT_MOST = 500


def sha256_of(model: Path) -> str:
    """The sha256 of ``model``, remembered as long as the file does not change. Raises ``OSError``."""
    place = f"{default_paths().state_dir}/{_FILE}"
    edition = _edition(model)
    row = _rows(place).get(str(model))
    if row is not None and row[:-1] == edition:
        return str(row[-1])
    return remember(model, _hashed(model))


def remember(model: Path, sha256: str) -> str:
    """Write down that ``model``, as it is now, has this ``sha256``; returns it."""
    place = f"{default_paths().state_dir}/{_FILE}"
    rows = {**_rows(place), str(model): [*_edition(model), sha256]}
    with contextlib.suppress(OSError):  # a full disk: it is hashed again
        write_atomic(place, json.dumps(dict(list(rows.items())[-_ROWS_AT_MOST:])).encode())
    return sha256


def _edition(model: Path) -> list[object]:
    found = model.stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _rows(place: str) -> dict[str, list[object]]:
    try:
        content = json.loads(read_bytes(place) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    rows = content.items() if isinstance(content, dict) else ()
    return {path: row for path, row in rows if isinstance(row, list) and len(row) == 6}


def _hashed(model: Path) -> str:
    digest = hashlib.sha256()
    with open(model, "rb", opener=plain) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
