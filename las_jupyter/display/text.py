"""Plain text as a value: its ``repr`` is the text, its HTML the same text, escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from las_jupyter.core.advice import Say
from las_jupyter.display import html
from las_jupyter.display.words import plain, plain_log

_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:90%;white-space:pre-wrap;margin:0"


class Text(str):
    """
    Text that a cell shows as it is, without quotes; ``data`` is what a script gets for it.

    ``advice``: there is a command of ours in it, to be told in a terminal's words there.
    """

    data: Any
    advice: bool

    def __new__(cls, text: str, *, data: Any = None, advice: bool = False) -> Text:
        made = super().__new__(cls, plain(text))
        made.data = data
        made.advice = advice
        return made

    def told(self, say: Say) -> str:
        """The text as ``say`` writes advice."""
        return say(str(self)) if self.advice else str(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html.tag("pre", str(self), style=_MONO)


class LogText(Sequence[str]):
    """
    Lines of a log, oldest first, as they were read; a sequence of strings.

    Control characters and secrets are gone already: what is here is for reading. ``path`` is the file with every byte.
    """

    def __init__(self, lines: Sequence[str], *, path: str = "", note: str = "") -> None:
        self.lines = tuple(plain_log(line.rstrip("\r\n")) for line in lines)
        self.path = path
        self.note = note

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[str, ...]: ...
    def __getitem__(self, key: int | slice) -> str | tuple[str, ...]:
        return self.lines[key]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return "\n".join([*self.lines, *([self.note] if self.note else [])]) or "the log is empty"

    def _repr_html_(self) -> str:
        body = html.tag("pre", str(self) or "the log is empty", style=_MONO + ";max-height:24em;overflow:auto")
        note = [html.tag("div", self.note, style="color:#616161")] if self.note else []
        return html.tag("div", body, *note, class_="las-log")
