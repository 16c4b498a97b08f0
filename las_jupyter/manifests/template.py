"""Filling ``{name}`` in argv from a closed set of names; anything else is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from las_jupyter.core.errors import InvalidManifest

NAMES = frozenset({"engine", "model", "alias", "host", "port", "state_dir", "gpu_count", "context"})
"""What a manifest may write in braces, besides ``port:NAME``, ``secret_file:NAME``."""

_MARK = re.compile(r"\{([a-z_]+)(?::([A-Za-z0-9_.-]+))?\}")


def fill(argv: Sequence[str], values: Mapping[str, str | Sequence[str]]) -> tuple[str, ...]:
    """
    ``argv`` with every mark filled. A word that is a mark alone may become several words, or none.

    ``{secret_file:NAME}`` stays: the backend knows the path. Raises ``InvalidManifest`` for a name that is not known.
    """
    filled: list[str] = []
    for word in argv:
        whole = _MARK.fullmatch(word)
        if whole and whole[2] is None and not isinstance(_value(whole, values), str):
            filled.extend(_value(whole, values))
        else:
            filled.append(_MARK.sub(lambda found: _text(found, values), word))
    return tuple(filled)


def names_in(argv: Sequence[str]) -> set[str]:
    """The names that stand in braces."""
    return {found[1] for word in argv for found in _MARK.finditer(word)}


def _text(found: re.Match[str], values: Mapping[str, str | Sequence[str]]) -> str:
    if found[1] == "secret_file":
        return found[0]
    value = _value(found, values)
    return value if isinstance(value, str) else " ".join(value)


def _value(found: re.Match[str], values: Mapping[str, str | Sequence[str]]) -> str | Sequence[str]:
    key = found[0][1:-1]
    if found[1] == "secret_file":
        return found[0]
    if key in values:
        return values[key]
    known = ", ".join(sorted(NAMES | {"port:NAME", "secret_file:NAME"}))
    raise InvalidManifest(f"{{{key}}} cannot be filled in.", cause=f"the names are: {known}")
