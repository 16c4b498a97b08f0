"""Sizes and durations as people write them: ``24GB``, ``512MiB``, ``15s``, ``2m``."""

from __future__ import annotations

_SIZE_UNITS = {
    "": 1, "b": 1,
    "k": 2**10, "kb": 10**3, "kib": 2**10,
    "m": 2**20, "mb": 10**6, "mib": 2**20,
    "g": 2**30, "gb": 10**9, "gib": 2**30,
    "t": 2**40, "tb": 10**12, "tib": 2**40,
}  # fmt: skip
_TIME_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


_ENDLESS = float("inf")
_LARGEST = 1e15


def _split(text: str) -> tuple[float, str]:
    bare = text.strip().lower().replace("_", "")
    cut = len(bare)
    while cut and not (bare[cut - 1].isdigit() or bare[cut - 1] == "."):
        cut -= 1
    number = bare[:cut].strip()
    if not number or not all(c.isdigit() or c == "." for c in number):
        raise ValueError(f"{_short(text)} is not a number with a unit")
    try:
        value = float(number)
    except ValueError:
        value = _ENDLESS  # 1.2.3, or a digit that is none to Python
    if value == _ENDLESS:
        raise ValueError(f"{_short(text)} is not a number with a unit")
    return value, bare[cut:].strip()


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def parse_size(text: str | int) -> int:
    """
    Bytes meant by ``text``.

    ``GB`` is 10⁹ and ``GiB`` is 2³⁰ (IEC 80000-13); a bare ``G`` is 2³⁰, as Docker and systemd read it.
    Raises ``ValueError`` naming what was not understood.
    """
    if isinstance(text, int):
        return text
    if not isinstance(text, str):
        raise ValueError("it is no size; write it like 24GB or 512MiB")
    number, unit = _split(text)
    if unit not in _SIZE_UNITS:
        raise ValueError(f"{_short(text)} has no size unit we know; write it like 24GB or 512MiB")
    size = number * _SIZE_UNITS[unit]
    if size == _ENDLESS:
        raise ValueError(f"{_short(text)} is not a number with a unit")
    return int(size)


def parse_duration(text: str | float) -> float:
    """Seconds meant by ``text``; a bare number is seconds. Raises ``ValueError``."""
    if isinstance(text, (int, float)):
        # Not a number compares with nothing, and what counts in seconds has no end.
        if not -_LARGEST < text < _LARGEST:
            raise ValueError(f"{_short(str(text))} is no duration; write it like 30s or 5m")
        return float(text)
    if not isinstance(text, str):
        raise ValueError("it is no duration; write it like 30s or 5m")
    number, unit = _split(text)
    if unit not in _TIME_UNITS:
        raise ValueError(f"{_short(text)} has no time unit we know; write it like 30s or 5m")
    return number * _TIME_UNITS[unit]


def format_size(size: int) -> str:
    """``size`` bytes in binary units with one decimal, as ``1.5 GiB``."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def format_duration(seconds: float) -> str:
    """A duration as people say it: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
