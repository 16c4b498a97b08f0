"""
What a project's file may say of itself, and what only once its reader trusted it.

A project is cloned, copied and shared. What it asks of memory or logs is a wish; what it says of programs, folders and
rules is a decision about the person who works in it.
"""

from __future__ import annotations

from enum import Enum
from typing import Any


class Power(Enum):
    """What a setting can do to the person in whose name it holds."""

    NONE = "it says how much, how long or how often"
    LIFTS = "false only forbids; true gives back what the person may have switched off"
    CHOOSES = "it names a program, a rule, or a folder that is written to or believed"


POWERS: dict[tuple[str, ...], Power] = {
    ("runtime", "default_mode"): Power.NONE,
    ("runtime", "docker_enabled"): Power.LIFTS,
    ("runtime", "native_enabled"): Power.LIFTS,
    ("runtime", "log_dir"): Power.CHOOSES,
    ("runtime", "container_engine"): Power.NONE,
    ("models", "cache_dir"): Power.CHOOSES,
    ("manifests", "paths"): Power.CHOOSES,
    ("engines", "*", "path"): Power.CHOOSES,
    ("engines", "*", "python"): Power.CHOOSES,
    ("logs", "start_bytes"): Power.NONE,
    ("logs", "keep_starts"): Power.NONE,
    ("logs", "total_bytes"): Power.NONE,
    ("logs", "capture"): Power.NONE,
    ("restart", "policy"): Power.NONE,
    ("restart", "first"): Power.NONE,
    ("restart", "cap"): Power.NONE,
    ("restart", "max_tries"): Power.NONE,
    ("restart", "reset_after"): Power.NONE,
    ("limits", "memory"): Power.NONE,
    ("limits", "cpus"): Power.NONE,
    ("limits", "pids"): Power.NONE,
    ("policy_file",): Power.CHOOSES,
}
"""Every setting; ``*`` stands for the name of a module. A test compares it with ``settings.model``."""


def without_power(values: dict[str, Any], at: tuple[str, ...] = ()) -> tuple[dict[str, Any], tuple[str, ...]]:
    """``values`` without what takes trust, and the names of what was taken out."""
    kept: dict[str, Any] = {}
    out: tuple[str, ...] = ()
    for key, value in values.items():
        here = (*at, key)
        if _takes_trust(here, value):
            out += (".".join(here),)
        elif isinstance(value, dict):
            kept[key], more = without_power(value, here)
            out += more
        else:
            kept[key] = value
    return kept, out


def _takes_trust(at: tuple[str, ...], value: Any) -> bool:
    power = next((power for key, power in POWERS.items() if _is(key, at)), Power.NONE)
    return power is Power.CHOOSES or (power is Power.LIFTS and value is not False)


def _is(key: tuple[str, ...], at: tuple[str, ...]) -> bool:
    return len(key) == len(at) and all(part in ("*", here) for part, here in zip(key, at, strict=True))
