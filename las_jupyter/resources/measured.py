"""
What servers really used, kept between starts: the next plan for the same server goes by it and not by arithmetic.

One small file in the state folder. It is a convenience: where it is damaged or cannot be written, plans go by
estimates again.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from las_jupyter.state.files import read_bytes, write_atomic
from las_jupyter.state.lock import Lock

_FILE = "measured.json"
_FORMAT = 1
_ROWS_AT_MOST = 200
_BYTES_AT_MOST = 2**20
_WAIT = 1.0


class Measured(NamedTuple):
    """The most memory seen of one kind of server, in bytes (PSS of its tree), and when (seconds since the epoch)."""

    memory: int
    at: float


Measurements = dict[str, Measured]


def memory_key(*parts: object) -> str:
    """A short name for servers whose memory must be the same: of one program, model, context, mode and arguments."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read_measurements(state_dir: str) -> Measurements:
    """All that is kept; nothing where there is no file or it is damaged. What makes no sense is left out."""
    try:
        data = read_bytes(f"{state_dir}/{_FILE}") or b"{}"
        rows = json.loads(data).get("rows") if len(data) <= _BYTES_AT_MOST else None
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    found = {}
    for key, row in rows.items() if isinstance(rows, dict) else ():
        memory, at = (row.get("memory"), row.get("at")) if isinstance(row, dict) else (None, None)
        if type(memory) is int and 0 < memory < 2**60 and isinstance(at, (int, float)) and 0 <= at < 2**40:
            found[key] = Measured(memory, float(at))
    return found


def larger(known: Measurements, key: str, seen: Measured) -> Measurements:
    """``known`` with what was seen; of two measurements the larger one is kept, and the oldest rows are dropped."""
    before = known.get(key)
    if not key or seen.memory <= 0 or (before is not None and before.memory >= seen.memory):
        return known
    rows = {**known, key: seen}
    kept = sorted(rows, key=lambda each: rows[each].at, reverse=True)[:_ROWS_AT_MOST]
    return {each: rows[each] for each in rows if each in kept}


def record_measurement(state_dir: str, key: str, seen: Measured) -> bool:
    """Keep what was seen, when it is more than was known; whether it was written. Never raises for a full disk."""
    if larger(known := read_measurements(state_dir), key, seen) is known:
        return False
    try:
        lock = Lock(f"{state_dir}/measured.lock")
        if not lock.acquire(wait=_WAIT):
            return False
        try:
            rows = larger(read_measurements(state_dir), key, seen)
            data = {"format": _FORMAT, "rows": {each: row._asdict() for each, row in rows.items()}}
            write_atomic(f"{state_dir}/{_FILE}", json.dumps(data).encode() + b"\n")
        finally:
            lock.release()
    except OSError:
        return False
    return True
