"""
Finding the lines that match a regular expression, fast.

First the text that every match must contain is looked for in whole blocks, and of that first its rarest byte, which the
C library finds in memory at many gigabytes a second; only lines that have it are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from las_jupyter.logs.shown import HIDDEN, without_colours

_LONGEST_LOOKED_AT = 1024 * 1024
_RARE = 512


class Finder:
    """
    Finds lines that match ``pattern`` as ``shown`` shows them. Raises ``re.error``.

    What is hidden is not searched: which lines a pattern finds would tell it, guess by guess.
    """

    def __init__(self, pattern: str, shown: Callable[[bytes], str]) -> None:
        self._wanted = re.compile(pattern)
        self._folded = bool(self._wanted.flags & re.IGNORECASE)
        self._texts = [text.encode() for text in required(pattern)]
        if any(text in HIDDEN.lower().encode() for text in self._texts):
            self._texts = []  # shown where the bytes may not have it
        self._shown = shown

    def lines(self, data: bytes, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The matching lines of ``data`` between two beginnings of lines."""
        end = len(data) if end is None else end
        if begin >= end:
            return
        for line in self._candidates(data, begin, end):
            if self._wanted.search(without_colours(self._shown(line[:_LONGEST_LOOKED_AT]))):
                yield line

    def _candidates(self, data: bytes, begin: int, end: int) -> Iterator[bytes]:
        if not self._texts:
            yield from data[begin:end].removesuffix(b"\n").split(b"\n")
            return
        where = data.lower() if self._folded else data
        starts = sorted({start for text in self._texts for start in _line_starts(where, text, begin, end)})
        for start in starts:
            line_end = data.find(b"\n", start, end)
            yield data[start : end if line_end < 0 else line_end]


def _line_starts(data: bytes, text: bytes, begin: int, end: int) -> Iterator[int]:
    """Where the lines begin that contain ``text``."""
    find = _by_rarest_byte(data, text)
    position = find(begin, end)
    while position >= 0:
        yield max(begin, data.rfind(b"\n", begin, position) + 1)
        after = data.find(b"\n", position, end)
        position = find(after, end) if after >= 0 else -1


def _by_rarest_byte(data: bytes, text: bytes) -> Any:
    """A function like ``data.find`` of ``text``; quicker when one of its bytes is rare in ``data``."""
    sample = data[: 16 * 1024]
    at = min(range(len(text)), key=lambda index: sample.count(text[index : index + 1]))
    byte = text[at : at + 1]
    if sample.count(byte) * _RARE > len(sample):
        return lambda begin, end: data.find(text, begin, end)

    def find(begin: int, end: int) -> int:
        position = data.find(byte, begin + at, end)
        while position >= 0:
            if data.startswith(text, position - at) and position - at + len(text) <= end:
                return position - at
            position = data.find(byte, position + 1, end)
        return -1

    return find


def required(pattern: str) -> tuple[str, ...]:
    """
    Texts of which every match contains at least one; none when that could not be told.

    ASCII only; in lower case when the pattern ignores letter case, and a match then contains one in lower case.
    """
    try:
        parsed = parser.parse(pattern)
    except (re.error, RecursionError):
        return ()
    if not parsed.state.flags & re.IGNORECASE:
        return _best(parsed)
    # When case is ignored, letters outside of ASCII are equal to these: the sign of kelvin, the long s, the Turkish i.
    return _best(parsed, set(range(128)) - set(b"iksIKS"), str.lower)


def _best(parsed: Any, letters: Collection[int] = range(128), fold: Callable[[str], str] = str) -> tuple[str, ...]:
    """Of the sets of texts the parts require, the one whose shortest text is longest."""
    sets: list[tuple[str, ...]] = []
    piece = ""
    for code, argument in parsed:
        if code is codes.LITERAL and argument in letters:
            piece += fold(chr(argument))
            continue
        sets.append((piece,))
        piece = ""
        if code is codes.SUBPATTERN and not argument[1]:
            sets.append(_best(argument[3], letters, fold))
        elif code is codes.MAX_REPEAT and argument[0] > 0:
            sets.append(_best(argument[2], letters, fold))
        elif code is codes.BRANCH:
            branches = [_best(branch, letters, fold) for branch in argument[1]]
            sets.append(tuple(text for branch in branches for text in branch) if all(branches) else ())
    sets.append((piece,))
    best = max(sets, key=lambda texts: min(map(len, texts), default=0))
    return best if all(best) else ()
