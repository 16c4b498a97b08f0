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
_CHOSEN_FOR = 32


class Finder:
    """
    Finds lines that match ``pattern`` as ``shown`` shows them. Raises ``re.error``.

    What is hidden is not searched: which lines a pattern finds would tell it, guess by guess.
    """

    def __init__(self, pattern: str, shown: Callable[[bytes], str]) -> None:
        self._wanted = re.compile(pattern)
        folded = bool(self._wanted.flags & re.IGNORECASE)
        texts = required(pattern)
        if any(text in HIDDEN.lower() for text in texts):
            texts = ()  # shown where the bytes may not have it
        self._texts = [_Text(text.encode(), folded=folded) for text in texts]
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
        starts = sorted({start for text in self._texts for start in text.line_starts(data, begin, end)})
        for start in starts:
            line_end = data.find(b"\n", start, end)
            yield data[start : end if line_end < 0 else line_end]


class _Text:
    """A text to find in blocks, by its rarest byte; ``folded`` means in lower case, to be found in any case."""

    def __init__(self, text: bytes, *, folded: bool) -> None:
        self._text = text
        self._folded = folded
        self._at: int | None = None
        self._blocks = 0

    def line_starts(self, data: bytes, begin: int, end: int) -> Iterator[int]:
        """Where the lines begin that contain the text."""
        self._choose(data)
        find = self._by_byte(data, end) if self._at is not None else self._whole(data, end)
        position = find(begin)
        while position >= 0:
            yield max(begin, data.rfind(b"\n", begin, position) + 1)
            after = data.find(b"\n", position, end)
            position = find(after) if after >= 0 else -1

    def _choose(self, data: bytes) -> None:
        """The place of the rarest byte, now and then anew: counting costs as much as finding."""
        if self._blocks % _CHOSEN_FOR == 0:
            sample = data[: 16 * 1024]
            counts = [sum(map(sample.count, self._cases(at))) for at in range(len(self._text))]
            rarest = min(counts)
            self._at = counts.index(rarest) if rarest * _RARE <= len(sample) else None
        self._blocks += 1

    def _cases(self, at: int) -> tuple[bytes, ...]:
        byte = self._text[at : at + 1]
        return (byte, byte.upper()) if self._folded and byte.isalpha() else (byte,)

    def _whole(self, data: bytes, end: int) -> Callable[[int], int]:
        where = data.lower() if self._folded else data
        return lambda begin: where.find(self._text, begin, end)

    def _by_byte(self, data: bytes, end: int) -> Callable[[int], int]:
        """A function that finds the text from a position on; the positions asked for must not go back."""
        at = self._at or 0
        bytes_ = self._cases(at)
        ahead = [-2] * len(bytes_)  # where each comes next, so that one that never comes is looked for once

        def next_byte(begin: int) -> int:
            for number, byte in enumerate(bytes_):
                if ahead[number] != -1 and ahead[number] < begin:
                    ahead[number] = data.find(byte, begin, end)
            return min((each for each in ahead if each >= 0), default=-1)

        def find(begin: int) -> int:
            position = next_byte(begin + at)
            while position >= 0:
                first = position - at
                piece = data[first : min(end, first + len(self._text))]
                if (piece.lower() if self._folded else piece) == self._text:
                    return first
                position = next_byte(position + 1)
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
