"""The magic itself."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, output_can_be_silenced

from las_jupyter.core import advice
from las_jupyter.core.errors import BadRequest
from las_jupyter.display.text import Text
from las_jupyter.magics.words import split_line
from las_jupyter.stack.body import read_body
from las_jupyter.stack.dispatch import perform
from las_jupyter.stack.help import help_text
from las_jupyter.stack.parsing import Command, parse
from las_jupyter.stack.stack import Stack

PREFIX = "%las"


@magics_class
class LasMagics(Magics):
    """``%las`` for one line, ``%%las start`` with options as TOML in the cell."""

    def __init__(self, shell: Any, stack: Stack) -> None:
        super().__init__(shell)
        self.stack = stack

    @output_can_be_silenced
    @line_cell_magic
    def las(self, line: str, cell: str | None = None) -> Any:
        words, _ = split_line(line)
        refuse_unfilled(words)
        command = parse(words)
        if cell is not None and not command.help:
            command = read_body(command, cell)
        return self._answer(command)

    def _answer(self, command: Command) -> Any:
        name = command.verb.name if command.verb and not command.help else ""
        if name == "traceback":
            return last_frames()
        if name == "logs" and command.values.pop("follow", False):
            return show_lines(self.stack.follow(command.values.get("name"), tail=command.values.get("tail") or 10))
        return perform(self.stack, command, prefix=PREFIX)


LasMagics.las.__doc__ = str(help_text(None, PREFIX))


def refuse_unfilled(words: list[str]) -> None:
    """IPython fills in Python variables, and leaves ``{name}`` as it is when there is none. Raises ``BadRequest``."""
    for word in words[: words.index("--") if "--" in words else None]:
        if word[:1] == "{" and word[-1:] == "}" and word[1:-1].isidentifier():
            raise BadRequest(
                f"{word} was not filled in.",
                cause=f"there is no Python variable {word[1:-1]} in this notebook",
                remedy=f"run the cell that sets {advice.word(word[1:-1])} first",
            )


def show_lines(lines: Iterator[str]) -> None:
    """Print lines until they end or the person interrupts, which is no error here."""
    try:
        for line in lines:
            print(line)
    except KeyboardInterrupt:
        return


def last_frames() -> Text:
    """The frames of the last error of this session. Raises ``BadRequest`` when there was none."""
    error = getattr(sys, "last_value", None)
    if error is None:
        raise BadRequest("There was no error in this session.")
    return Text("".join(traceback.format_exception(error)).rstrip())
