"""HTML made of escaped parts only; nothing here ever holds a script, a handler or a foreign style."""

from __future__ import annotations

import html
from collections.abc import Sequence

STYLE = {
    "healthy": "#2e7d32",
    "starting": "#0277bd",
    "unknown": "#616161",
    "unhealthy": "#b26a00",
    "failed": "#c62828",
    "stopped": "#616161",
}
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0;white-space:nowrap"
_WIDE = (
    "text-align:left;vertical-align:top;padding:2px 12px 2px 0;white-space:normal;overflow-wrap:anywhere;min-width:9em"
)
"""A path of a hundred letters must not push the columns behind it out of the cell."""


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """
    ``<name …>children</name>``. A child that is not ``Markup`` is escaped; attributes always are.

    An attribute's trailing underscore is dropped (``class_``) and its others become dashes.
    """
    inner = "".join(child if isinstance(child, Markup) else html.escape(child) for child in children)
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value, quote=True)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{words}>{inner}</{name}>")


def join(*parts: Markup) -> Markup:
    """Several pieces of markup after one another."""
    return Markup("".join(parts))


def grid(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Markup:
    """A table; cells that are not ``Markup`` are escaped, and a long cell wraps."""
    head = tag("tr", *(tag("th", column, style=_CELL, scope="col") for column in columns))
    body = [tag("tr", *(tag("td", cell, style=_WIDE if len(cell) > 24 else _CELL) for cell in row)) for row in rows]
    return tag("table", tag("thead", head), tag("tbody", *body), style="border-collapse:collapse")


def coloured(word: str, text: str) -> Markup:
    """``text`` in the colour of the light ``word``; the text itself says the word and the shape."""
    return tag("span", text, style=f"color:{STYLE.get(word, '#616161')};font-weight:600")
