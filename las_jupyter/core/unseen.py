"""
Characters that a person cannot see, or that change where others are seen, as one table.

Whoever shows or advises what a stranger wrote, or looks for a secret in it, asks here which characters those are.
"""

from __future__ import annotations

import functools
import re

FORMATS = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x0600, 0x0605), (0x061C, 0x061C), (0x06DD, 0x06DD), (0x070F, 0x070F),
    (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F),
    (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""First and last of each run of Unicode's format characters (Cf) and of those it ignores by default when it draws."""
LINE_ENDS = "\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
"""What ends a line besides ``\\n`` and ``\\r``, as the inside of a class of a regular expression."""
JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Of ``FORMATS`` those that only choose how their neighbours are drawn: the letters of Persian, families of emoji."""

_CONTROLS = "\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"
_ESCAPES = r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x9b[0-?]*[ -/]*[@-~]"


def _formats() -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in FORMATS)


# Patterns are made when they are first needed: every supervisor loads this, and most see none of these letters.


@functools.cache
def _unseen(*, joiners: bool) -> re.Pattern[str]:
    left_alone = f"(?![{JOINERS}])" if joiners else ""
    return re.compile(f"{_ESCAPES}|{left_alone}[\r{_CONTROLS}{_formats()}]")


@functools.cache
def _letters() -> re.Pattern[str]:
    return re.compile(f"[\x80-\x9f\u2028\u2029{_formats()}]")


@functools.cache
def _line_ends() -> re.Pattern[str]:
    return re.compile(f"[{LINE_ENDS}]")


def has_unseen(text: str) -> bool:
    """Whether there is a letter that cannot be seen in ``text``; of controls only those above ASCII count."""
    return _letters().search(text) is not None


def seen(text: str, *, joiners: bool = False) -> str:
    """``text`` without what cannot be seen or moves what can; tabs and ``\\n`` stay, other line ends become spaces."""
    if text.isascii() and text.isprintable():
        return text
    return _unseen(joiners=joiners).sub("", _line_ends().sub(" ", text))


def in_line(text: str) -> str:
    """What is seen of ``text``, on one line."""
    return seen(text).replace("\n", " ").replace("\t", " ")


def escaped(json_text: str) -> str:
    """JSON that says the same, with what cannot be seen in JSON's own escapes."""
    return json_text if json_text.isascii() else _letters().sub(lambda found: _escape(found[0]), json_text)


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
