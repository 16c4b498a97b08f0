"""Which names in a folder of logs are ours: ``0001-20260801T120000Z.log``, and what lies beside such a log."""

from __future__ import annotations

import re

_LOG = re.compile(r"[0-9]{4,}-[0-9]{8}T[0-9]{6}Z(-[0-9]+)?\.log")
_BESIDE = re.compile(r"\.(idx|cursor)")
_PIECE = re.compile(r"[0-9]{15}")


def is_log(name: str) -> bool:
    """Whether it is the log of one start, a file or a folder of pieces."""
    return _LOG.fullmatch(name) is not None


def is_of_a_log(name: str) -> bool:
    """Whether it is a log, its index, or how far an engine's record was read into it."""
    found = _LOG.match(name)
    return found is not None and (found.end() == len(name) or _BESIDE.fullmatch(name, found.end()) is not None)


def is_piece(name: str) -> bool:
    """Whether it is a part of a log in pieces."""
    return _PIECE.fullmatch(name) is not None
