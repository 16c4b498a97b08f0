"""Two plans side by side, as text and as HTML; a row that differs is marked in both."""

from __future__ import annotations

import textwrap

from las_jupyter.core.advice import Say, word
from las_jupyter.core.errors import NEXT_STEP
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

    def told(self, say: Say) -> str:
        """The table as text, its advice as ``say`` writes it."""
        return comparison_text(self, say)

    def _repr_html_(self) -> str:
        return comparison_html(self)


def comparison_text(comparison: Comparison, say: Say = str) -> str:
    """A table for a terminal: cells are wrapped, none is cut."""
    subjects = max(len(row.subject) for row in comparison.rows)
    lines = [_title(comparison), _line("", "", subjects, "native", "container")]
    for row in comparison.rows:
        cells = [_wrapped(_possible(text, say) if row.subject == "possible" else text) for text in row[1:3]]
        for at in range(max(len(cell) for cell in cells)):
            mark, subject = (_mark(row), row.subject) if at == 0 else ("", "")
            native, container = (cell[at] if at < len(cell) else "" for cell in cells)
            lines.append(_line(mark, subject, subjects, native, container))
    return plain("\n".join([*lines, say(_legend(comparison))]))


def _possible(text: str, say: Say) -> str:
    """Why not, which may be anybody's words, and after the arrow what cures it, which is ours."""
    why, arrow, cure = text.rpartition(NEXT_STEP)
    return why + arrow + say(cure) if arrow else text


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
    model = f" --model {word(first.request.model)}" if first.request.model else ""
    module = word(first.request.module)
    return f"{marked}Choose with: %las start {module}{model} --mode {first.spec.mode.value}"
