"""What the user gave the engine behind the two dashes, or in its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest


def number(request: StartRequest, names: tuple[str, ...]) -> int | None:
    """What the user gave, or None; a number that is none is for the engine to refuse in its own words."""
    said = word(request, names)
    return int(said) if said is not None and said.isascii() and said.isdigit() and len(said) < 12 else None


def word(request: StartRequest, names: tuple[str, ...]) -> str | None:
    """The last word given for an option, in any of its spellings, its variable included."""
    found = next((request.env[name] for name in names if name in request.env), None)
    for at, each in enumerate(request.args):
        name, equals, value = each.partition("=")
        if name in names:
            found = value if equals else next(iter(request.args[at + 1 : at + 2]), None)
    return found
