"""
Advice is a command that a person copies and runs, so each word in it that we did not write ourselves is made safe here.

A path, an image or a model's name may have been written by a stranger: one that holds ``$(…)`` or ``;`` must reach the
program that it names and nobody else. Advice is written for a cell; ``in_terminal`` says the same for a terminal.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from las_jupyter.core.unseen import seen

Say = Callable[[str], str]
"""How a surface writes advice: a cell as it is, a terminal by ``in_terminal``."""

_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./")
_PLAIN = _FIRST | frozenset("%+,-:=@")
_HIDDEN = "?"
"""What stands for a character that cannot be seen or typed; the command then names nothing, which is harmless."""
_WRITTEN = {
    "'": r"'\''",
    "\\": r"'\\'",  # fish reads a backslash between quotes
    "$": "$''",  # IPython fills in $name unless a quote stands between; in a few places only when it is quoted
    "{": "{{",
    "}": "}}",  # IPython evaluates what stands in braces, whatever the quotes around it
}


def word(value: object) -> str:
    """
    ``value`` as one word of a magic's line and of a shell's, on one line, with nothing in it that acts.

    Pasted into a cell it is ``value``, and into a shell as well unless there are braces in it; ``in_terminal`` makes
    those right. What begins with a dash becomes a path, for no option may be made of it.
    """
    text = _visible(value)
    return _as_word(f"./{text}" if text.startswith("-") else text)


def argument(value: object) -> str:
    """The same of what was typed as an option and is to be found again, in advice that never types it: to leave out."""
    text = _visible(value)
    return text if text.startswith("-") and _PLAIN.issuperset(text[1:]) else _as_word(text)


def _visible(value: object) -> str:
    return "".join(letter if letter.isprintable() and seen(letter) else _HIDDEN for letter in str(value))


def _as_word(text: str) -> str:
    if text and text[0] in _FIRST and _PLAIN.issuperset(text):
        return text
    return "'" + "".join(_WRITTEN.get(letter, letter) for letter in text) + "'"


def in_terminal(advice: str) -> str:
    """``advice`` as it is typed in a terminal: our command under its name there, and each word the same."""
    return _quoted().sub(lambda found: "las-jupyter" if found[0] == "%las" else _without_filling(found[0]), advice)


@functools.cache
def _quoted() -> re.Pattern[str]:
    """Made when it is first needed: every supervisor loads this and writes for cells only."""
    return re.compile(r"(?<!\w)(?:'[^']*'|\\['\\])+|%las(?= )")


def _without_filling(quoted: str) -> str:
    return quoted.replace("{{", "{").replace("}}", "}")
