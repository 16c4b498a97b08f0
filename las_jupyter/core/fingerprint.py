"""
Whether two specs mean the same server. For clients only: ``hashlib`` has no place in a supervisor.
"""

from __future__ import annotations

import hashlib

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.wire import to_json

_NOT_THE_SERVER = frozenset(
    {
        "share_gpu",
        "fingerprint",
        "decisions",
        "owner",
        "manifest",
        "log_dir",
        "format",
        "failures",
        "phases",
        "memory_promised",
        "memory_key",
    }
)


def fingerprint(spec: LaunchSpec) -> str:
    """A short hash over what makes the server: what runs, with what, how bounded, watched and stopped."""
    kept = {field: value for field, value in zip(spec._fields, spec, strict=True) if field not in _NOT_THE_SERVER}
    return hashlib.sha256(to_json(kept).encode(errors="backslashreplace")).hexdigest()[:16]


def differences(one: LaunchSpec, other: LaunchSpec) -> list[str]:
    """The fields in which two specs mean different servers."""
    return [
        field
        for field, mine, theirs in zip(one._fields, one, other, strict=True)
        if field not in _NOT_THE_SERVER and mine != theirs
    ]
