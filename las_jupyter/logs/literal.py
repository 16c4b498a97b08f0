"""The longest piece of text that every match of a regular expression contains, to look for it first."""

from __future__ import annotations

import re
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any


def required(pattern: str) -> str:
    """That piece, or an empty string when there is none or it could not be told. ASCII only."""
    try:
        parsed = parser.parse(pattern)
    except (re.error, RecursionError):
        return ""
    if parsed.state.flags & (re.IGNORECASE | re.VERBOSE):
        return ""
    return max(_pieces(parsed), key=len, default="")


def _pieces(parsed: Any) -> list[str]:
    pieces, piece = [], ""
    for code, argument in parsed:
        if code is codes.LITERAL and argument < 128:
            piece += chr(argument)
            continue
        pieces.append(piece)
        piece = ""
        if code is codes.SUBPATTERN and not argument[1]:
            pieces.extend(_pieces(argument[3]))
        elif code is codes.MAX_REPEAT and argument[0] > 0:
            pieces.extend(_pieces(argument[2]))
    return [*pieces, piece]
