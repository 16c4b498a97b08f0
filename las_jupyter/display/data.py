"""Any answer of ours as JSON data, for ``--json``."""

from __future__ import annotations

from typing import Any

from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.request import StartRequest
from las_jupyter.core.secrecy import hide_values, hide_words
from las_jupyter.core.unseen import in_line
from las_jupyter.core.wire import to_data
from las_jupyter.display.table import Table
from las_jupyter.display.text import LogText, Text


def as_data(value: Any) -> Any:
    """
    ``value`` as JSON data: a table becomes an array, an instance its snapshot, a log its lines.

    What is a secret by its name or its looks, among variables and arguments, is ``***``.
    """
    if isinstance(value, Table):
        return [as_data(item) for item in value.items]
    if isinstance(value, LogText):
        return list(value.lines)
    if isinstance(value, Text):
        return as_data(value.data) if value.data is not None else {"text": str(value)}
    if isinstance(value, LasError):
        return error_data(value)
    snapshot = getattr(value, "snapshot", None)
    return _masked(snapshot if isinstance(snapshot, tuple) else value)


def error_data(error: LasError) -> dict[str, Any]:
    """An error as data, with the same words a person reads."""
    return {
        "error": {
            "type": type(error).__name__,
            "message": in_line(error.message),
            "cause": error.cause and in_line(error.cause),
            "remedy": error.remedy and in_line(error.remedy),
            "details": [in_line(line) for line in error.details],
        }
    }


def _masked(value: Any) -> Any:
    if isinstance(value, LaunchSpec):
        value = value._replace(env=hide_values(value.env), argv=hide_words(value.argv))
    if isinstance(value, StartRequest):
        value = value._replace(env=hide_values(value.env, value.taken), args=hide_words(value.args))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _masked(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, tuple | list):
        return [_masked(item) for item in value]
    return to_data(value)
