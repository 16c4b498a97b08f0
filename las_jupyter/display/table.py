"""A table that is a value: rows to read as text or HTML, and the things the rows stand for."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

from las_jupyter.core.advice import Say
from las_jupyter.display import html
from las_jupyter.display.words import one_line

T = TypeVar("T")

_NARROWEST = 16
_BETWEEN = "  "

Paint = Callable[[str, str], html.Markup | None]
"""Column and cell text to markup, or None to show the text as it is."""


class Table(Sequence[T], Generic[T]):
    """
    Rows of text about ``items``, one row an item.

    Iterating gives the items; ``table["chat"]`` gives the item whose first column reads ``chat``. ``rows`` and
    ``columns`` are the text; ``records`` joins both. ``notes`` are sentences shown below. ``advice`` names the columns
    that hold commands of ours; the others, the notes aside, may be anybody's words.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        rows: Sequence[tuple[str, ...]],
        items: Sequence[T],
        *,
        empty: str = "nothing to show",
        notes: tuple[str, ...] = (),
        paint: Paint | None = None,
        advice: tuple[str, ...] = (),
    ) -> None:
        self.columns = columns
        self.rows = [tuple(one_line(cell) for cell in row) for row in rows]
        self.items = tuple(items)
        self.empty = empty
        self.notes = notes
        self._paint = paint
        self._advice = advice

    @property
    def records(self) -> list[dict[str, str]]:
        """One dictionary a row: column to text."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    @overload
    def __getitem__(self, key: int | str) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[T, ...]: ...
    def __getitem__(self, key: int | str | slice) -> T | tuple[T, ...]:
        if isinstance(key, str):
            for row, item in zip(self.rows, self.items, strict=True):
                if row[0] == key:
                    return item
            raise KeyError(key)
        return self.items[key]

    def __repr__(self) -> str:
        return self.text()

    def text(self, width: int | None = None, say: Say = str) -> str:
        """
        The table as lines, one a row; within ``width`` characters its widest columns are folded instead.

        ``say`` writes the advice in it.
        """
        return "\n".join([*(self._lines(width, say) if self.rows else [say(self.empty)]), *map(say, self.notes)])

    def _lines(self, width: int | None, say: Say) -> list[str]:
        says = [say if column in self._advice else str for column in self.columns]
        shown = [self.columns, *(tuple(told(cell) for told, cell in zip(says, row, strict=True)) for row in self.rows)]
        widths = [max(len(row[index]) for row in shown) for index in range(len(self.columns))]
        widths = widths if width is None else _narrowed(widths, width)
        return [line for row in shown for line in _folded(row, widths)]

    def _repr_html_(self) -> str:
        body = html.grid(self.columns, [self._painted(row) for row in self.rows]) if self.rows else None
        notes = [html.tag("div", note, style="color:#616161;margin-top:4px") for note in self.notes]
        return html.tag("div", *([body] if body else [html.tag("div", self.empty)]), *notes, class_="las-table")

    def _painted(self, row: tuple[str, ...]) -> tuple[str, ...]:
        if self._paint is None:
            return row
        cells = zip(self.columns, row, strict=True)
        return tuple(self._paint(column, cell) or cell for column, cell in cells)


def _narrowed(widths: list[int], width: int) -> list[int]:
    """``widths`` that fit into ``width``, taken from the widest; none becomes narrower than it can be read."""
    fitting = list(widths)
    while sum(fitting) + len(_BETWEEN) * (len(fitting) - 1) > width and max(fitting) > _NARROWEST:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def _folded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    cells = [_fold(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = [
        [cell[at] if at < len(cell) else "" for cell in cells] for at in range(max(1, *(len(cell) for cell in cells)))
    ]
    return [
        _BETWEEN.join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]


def _fold(cell: str, width: int) -> list[str]:
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)
