"""Two plans side by side, as text and as HTML; a row that differs is marked in both."""

from __future__ import annotations

import shlex
import textwrap

from las_jupyter.core.request import ComparedRow, Comparison
from las_jupyter.display import html
from las_jupyter.display.words import one_line, plain

DIFFERS = "≠"
_WIDTH = 46
_HEAD = ("", "", "native", "container")


class ReadableComparison(Comparison):
    """A ``Comparison`` that a cell shows as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        return comparison_text(self)

    def _repr_html_(self) -> str:
        return comparison_html(self)


def comparison_text(comparison: Comparison) -> str:
    """A table for a terminal: cells are wrapped, none is cut."""
    subjects = max(len(row.subject) for row in comparison.rows)
    lines = [_title(comparison), _line("", "", subjects, "native", "container")]
    for row in comparison.rows:
        cells = [_wrapped(row.native), _wrapped(row.container)]
        for at in range(max(len(cell) for cell in cells)):
            mark, subject = (_mark(row), row.subject) if at == 0 else ("", "")
            native, container = (cell[at] if at < len(cell) else "" for cell in cells)
            lines.append(_line(mark, subject, subjects, native, container))
    return plain("\n".join([*lines, _legend(comparison)]))


def _line(mark: str, subject: str, subjects: int, native: str, container: str) -> str:
    return f"{mark or ' '} {subject:<{subjects}}  {native:<{_WIDTH}}  {container}".rstrip()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(one_line(text), _WIDTH, break_on_hyphens=False) or [""]


def comparison_html(comparison: Comparison) -> str:
    """The same content as ``comparison_text``, every word of it escaped."""
    rows = [
        (
            _mark(row),
            html.tag("b", row.subject) if row.differs else row.subject,
            one_line(row.native),
            one_line(row.container),
        )
        for row in comparison.rows
    ]
    return html.tag(
        "div",
        html.tag("div", html.tag("b", _title(comparison))),
        html.grid(_HEAD, rows),
        html.tag("div", _legend(comparison), style="color:#616161"),
        class_="las-comparison",
    )


def _mark(row: ComparedRow) -> str:
    return DIFFERS if row.differs else ""


def _title(comparison: Comparison) -> str:
    return f"{comparison.module} in native and in container mode. Nothing was started."


def _legend(comparison: Comparison) -> str:
    first = next((each.plan for each in comparison.sides if each.plan), None)
    marked = f"{DIFFERS} marks what differs. " if any(row.differs for row in comparison.rows) else ""
    if first is None:
        return marked
    model = f" --model {shlex.quote(first.request.model)}" if first.request.model else ""
    module = shlex.quote(first.request.module)
    return f"{marked}Choose with: %las start {module}{model} --mode {first.spec.mode}"
