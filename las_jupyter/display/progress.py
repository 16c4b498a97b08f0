"""
What is going on, for a person who waits: a line that changes, shown only when it takes longer than two seconds.

A reporter is used from the thread that asked and from no other; a start that runs in a worker thread gets
``Quiet``, because output of a background thread lands in whatever cell happens to run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from las_jupyter.core.advice import in_terminal
from las_jupyter.display import html
from las_jupyter.display.words import one_line

PATIENCE_SECONDS = 2.0
"""Quicker work shows no progress: a line that flashes by is noise."""
_REFRESH_SECONDS = 0.2
_BAR_WIDTH = 24
_LINE_WIDTH = 118


class Progress(Protocol):
    """Tells a person what is going on."""

    def note(self, text: str) -> None:
        """One sentence that stays."""

    def update(self, text: str, fraction: float | None = None) -> None:
        """What is under way now; ``fraction`` between 0 and 1 draws a bar. Replaces what was said before."""

    def close(self) -> None:
        """Take the changing line away. Closing twice is one close."""


def bar(fraction: float) -> str:
    """``fraction`` as a bar of fixed width with its percentage."""
    full = round(max(0.0, min(1.0, fraction)) * _BAR_WIDTH)
    return f"[{'#' * full}{'.' * (_BAR_WIDTH - full)}] {_percent(fraction)}"


def _percent(fraction: float) -> str:
    return f"{max(0.0, min(1.0, fraction)) * 100:3.0f} %"


class Quiet:
    """Says nothing, and keeps the notes for whoever wants to read them."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def update(self, text: str, fraction: float | None = None) -> None:
        """Nobody is watching."""

    def close(self) -> None:
        """Nothing was shown."""


class _Patient:
    """Decides when the changing line is worth showing and how often; subclasses draw it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._drawn_at = float("-inf")
        self.showing = False

    def update(self, text: str, fraction: float | None = None) -> None:
        now = self._clock()
        if now - self._begun < PATIENCE_SECONDS or now - self._drawn_at < _REFRESH_SECONDS:
            return
        self._drawn_at = now
        self._draw(one_line(text), fraction)
        self.showing = True

    def close(self) -> None:
        if self.showing:
            self.showing = False
            self._erase()

    def _draw(self, text: str, fraction: float | None) -> None:
        raise NotImplementedError

    def _erase(self) -> None:
        raise NotImplementedError


class TerminalProgress(_Patient):
    """A line on a terminal that is written over; notes are lines of their own."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._stream = stream

    def note(self, text: str) -> None:
        self.close()
        self._write(in_terminal(one_line(text)) + "\n")

    def _draw(self, text: str, fraction: float | None) -> None:
        shown = text if fraction is None else f"{text} {bar(fraction)}"
        if fraction is not None and len(shown) > _LINE_WIDTH:  # the numbers are worth more than their picture
            shown = f"{text[: _LINE_WIDTH - 6]} {_percent(fraction)}"
        self._write(f"\r\x1b[K{shown[:_LINE_WIDTH]}")

    def _erase(self) -> None:
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class LineProgress:
    """For a script without a terminal: notes only, one line each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, text: str) -> None:
        self._stream.write(in_terminal(one_line(text)) + "\n")
        self._stream.flush()

    def update(self, text: str, fraction: float | None = None) -> None:
        """A changing line has no place in a file."""

    def close(self) -> None:
        """Nothing to take away."""


class NotebookProgress(_Patient):
    """One output of the cell, updated in place; empty when the work is done. Notes are printed."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._handle: Any = None

    def note(self, text: str) -> None:
        print(one_line(text))

    def _draw(self, text: str, fraction: float | None) -> None:
        shown = text if fraction is None else f"{text} {bar(fraction)}"
        self._show({"text/plain": shown, "text/html": html.tag("div", shown, class_="las-progress")})

    def _erase(self) -> None:
        self._show({"text/plain": "", "text/html": ""})

    def _show(self, bundle: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


def in_notebook() -> bool:
    """Whether this is an IPython kernel, whose outputs can be updated."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def progress_here() -> Progress:
    """The reporter that fits where we are."""
    if threading.current_thread() is not threading.main_thread():
        return Quiet()
    if in_notebook():
        return NotebookProgress()
    return TerminalProgress(sys.stderr) if sys.stderr.isatty() else LineProgress(sys.stderr)
