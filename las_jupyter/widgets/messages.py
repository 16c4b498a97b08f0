"""
What a page and its kernel say to each other beside the state, one value a message.

The page's types are generated from here.
A page may be old, or not ours at all: what it says is read field by field, and what is no message of ours is not heard.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from las_jupyter.core.light import Verb


class Here(NamedTuple):
    """Somebody looks."""

    t: Literal["here"] = "here"


class OpenLog(NamedTuple):
    """Send the log of ``name`` from ``offset`` of start ``generation`` on; None: from wherever is best."""

    name: str
    generation: int | None
    offset: int | None
    t: Literal["log"] = "log"


class CloseLog(NamedTuple):
    """Send no more of it."""

    name: str
    t: Literal["close"] = "close"


class Order(NamedTuple):
    """A button: do ``verb`` to ``name``, and answer under ``id``."""

    id: str
    verb: Verb
    name: str
    t: Literal["do"] = "do"


class LogPiece(NamedTuple):
    """
    Bytes ``offset`` to ``next`` of a log as text. ``reset``: what was shown before is not followed by this.

    ``trimmed`` bytes before it are not shown.
    """

    name: str
    generation: int
    reset: bool
    offset: int
    next: int
    trimmed: int
    text: str
    t: Literal["log"] = "log"


class Ack(NamedTuple):
    """An order was heard."""

    id: str
    t: Literal["ack"] = "ack"


class Done(NamedTuple):
    """An order was carried out, or it was not: then ``error`` are the lines that say why."""

    id: str
    error: tuple[str, ...] | None = None
    t: Literal["done"] = "done"


FromPage = Here | OpenLog | CloseLog | Order
Item = LogPiece | Ack | Done


class Batch(NamedTuple):
    """The kernel says at most ten things a second: what came up meanwhile comes together."""

    items: tuple[Item, ...]
    t: Literal["batch"] = "batch"


def read_message(said: Any) -> FromPage | None:
    """The message in ``said``, or None when it is none of ours."""
    if not isinstance(said, dict):
        return None
    match said:
        case {"t": "here"}:
            return Here()
        case {"t": "log", "name": str(name)}:
            return OpenLog(name, _whole(said.get("generation")), _whole(said.get("offset")))
        case {"t": "close", "name": str(name)}:
            return CloseLog(name)
        case {"t": "do", "id": str(number), "verb": str(verb), "name": str(name)} if verb in list(Verb):
            return Order(number, Verb(verb), name)
        case _:
            return None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
