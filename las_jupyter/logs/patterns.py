"""
Which regular expressions of others may be searched for in lines that others wrote.

Python's matcher tries every way to match before it says no, and a pattern such as ``(a+)+$`` has more ways than a line
of forty letters leaves time for. So the steps of the worst line are counted from the pattern alone, before anything is
searched: every estimate here errs towards more of them. Decision 0036 has the reasons and the figures.
"""

from __future__ import annotations

import re
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from las_jupyter.logs.scan import LONGEST_LINE

_MOST_STEPS = 4 * LONGEST_LINE**2
"""About a tenth of a second for the worst line there can be; a pattern made for its purpose needs thousands."""
_ENDLESS = _MOST_STEPS + 1
_DEEPEST = 4
"""Repeats within repeats that are looked into; each level doubles the looking."""

_OTHER = 1 << 256
"""The bit of a set of letters that stands for all beyond Latin-1."""
_LATIN = _OTHER - 1
_ALL = _LATIN | _OTHER
_ONE_LETTER = frozenset({codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN})
_REPEATS = frozenset({codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT})
_CHOOSING = frozenset("*+?{|")
"""Without one of these a pattern matches in one way only."""
_END = (None, None)
"""Stands behind what may still fail for a reason that is not looked at."""

_Item = tuple[Any, Any]


def too_slow(pattern: str, longest: int = LONGEST_LINE) -> bool:
    """
    Whether searching ``longest`` letters for ``pattern`` may take longer than anybody should wait.

    Raises ``re.error`` and what else ``re.compile`` raises, though not for everything that is no pattern.
    """
    if _CHOOSING.isdisjoint(pattern):
        return False
    parsed = parser.parse(pattern)
    meaning = _Meaning(pattern, longest)
    items = _flat(parsed)
    begins = items[0] if items else _END
    # Only a beginning that is one place of the whole text spares us the other places to start from.
    anchored = begins[0] is codes.AT and (
        begins[1] is codes.AT_BEGINNING_STRING or (begins[1] is codes.AT_BEGINNING and not meaning.many_lines)
    )
    _, steps = meaning.sequence(items, [], 0)
    return bool(steps * (1 if anchored else longest) > _MOST_STEPS)


def searchable(pattern: str) -> re.Pattern[bytes] | None:
    """``pattern`` for the bytes of a line; None where searching for it has no bound: then it is never found."""
    try:
        return None if too_slow(pattern) else re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError, UnicodeEncodeError):
        return None


def _flat(items: Any) -> list[_Item]:
    """The items with those of plain groups in their place: a group by itself changes no number of ways."""
    found: list[_Item] = []
    for op, argument in items:
        if op is codes.SUBPATTERN:
            found += _flat(argument[3])
        else:
            found.append((op, argument))
    return found


class _Meaning:
    """Ways and steps of the parts of one pattern, for a text of ``longest`` letters."""

    def __init__(self, pattern: str, longest: int) -> None:
        self._longest = longest
        # A flag that holds for one group only is taken to hold for all.
        self._any_case = re.search(r"\(\?[a-zA-Z]*i", pattern) is not None
        self.many_lines = re.search(r"\(\?[a-zA-Z]*m", pattern) is not None

    def sequence(self, items: list[_Item], after: list[_Item], depth: int) -> tuple[int, int]:
        """In how many ways ``items`` match from one place when ``after`` follows, and the steps to try them all."""
        ways, steps, letters = 1, 0, False
        for index, item in enumerate(items):
            more, cost = self._item(item, [*items[index + 1 :], *after], depth)
            # Of a run of letters the first one decides.
            steps += 0 if letters and item[0] in _ONE_LETTER else ways * cost
            letters = item[0] in _ONE_LETTER
            ways *= more
            if steps > _MOST_STEPS or ways > _MOST_STEPS:
                return _ENDLESS, _ENDLESS
        return ways, steps

    def _item(self, item: _Item, after: list[_Item], depth: int) -> tuple[int, int]:
        op, argument = item
        if op in _ONE_LETTER:
            return 1, 1
        if op in _REPEATS:
            return self._repeat(op, argument, after, depth)
        if op is codes.BRANCH:
            return self._branch([_flat(each) for each in argument[1]], after, depth)
        if op is codes.GROUPREF_EXISTS:
            return self._branch([_flat(argument[1]), _flat(argument[2] or ())], after, depth)
        if op in (codes.ASSERT, codes.ASSERT_NOT):
            return 1, self.sequence(_flat(argument[1]), [_END], depth)[1]
        if op is codes.ATOMIC_GROUP:
            return 1, self.sequence(_flat(argument), [_END], depth)[1]
        # A place (^, $, \b) costs nothing; whatever else there is repeats what a group has matched.
        return (1, 0) if op is codes.AT else (1, self._longest)

    def _branch(self, sides: list[list[_Item]], after: list[_Item], depth: int) -> tuple[int, int]:
        told = [self.sequence(side, after, depth) for side in sides]
        steps = sum(cost for _, cost in told) + 1
        firsts = [self._first([*side, *after]) for side in sides]
        seen = 0
        for first in firsts:
            if first is None or first & seen:
                return sum(ways for ways, _ in told), steps
            seen |= first
        return max(ways for ways, _ in told), steps

    def _repeat(self, op: Any, argument: Any, after: list[_Item], depth: int) -> tuple[int, int]:
        least, most, body = argument
        items = _flat(body)
        most = min(int(most), self._longest)
        spread = max(0, most - least) + 1
        if len(items) == 1 and items[0][0] in _ONE_LETTER:
            if _cannot_fail(after):
                return 1, max(1, least)
            sure = op is codes.POSSESSIVE_REPEAT or self._only_one_end(self._letters(items[0]), after)
            return 1 if sure else spread, max(1, most)
        ways, steps = self._once(items, after, depth)
        if most <= 1:
            return ways + 1, steps
        if ways > 1:
            tries: int = min(_ENDLESS, ways ** min(most, _MOST_STEPS.bit_length()))
            return tries, tries * steps
        width = body.getwidth()[0]
        if width == 0:
            return _ENDLESS, _ENDLESS
        rounds = max(1, min(most, self._longest // width))
        first, then = self._first(items), self._first(after)
        sure = least == most or (first is not None and then is not None and not first & then)
        return 1 if sure else min(spread, rounds + 1), rounds * steps

    def _once(self, items: list[_Item], after: list[_Item], depth: int) -> tuple[int, int]:
        """One round of a repeat, behind which the next round may come as well as what follows."""
        if depth >= _DEEPEST:
            return _ENDLESS, _ENDLESS
        again = self.sequence(items, [*items, _END], depth + 1)
        last = self.sequence(items, [*after, _END], depth + 1)
        return max(again[0], last[0]), max(again[1], last[1])

    def _only_one_end(self, letters: int, after: list[_Item]) -> bool:
        """
        Whether a run of ``letters`` can end in one place only for ``after`` to match.

        So it is when a letter must follow that the run cannot hold: however far the run is drawn back, it is the same
        letter of the text.
        """
        for item in after:
            op, argument = item
            if op is codes.AT:
                if argument in (codes.AT_END, codes.AT_END_STRING) and not self.many_lines:
                    return True
                continue
            first = self._first_of(item)
            if first is None:
                return False
            if first & letters:
                if op not in _ONE_LETTER:
                    return False
            elif op in _REPEATS and argument[0] == 0:
                continue
            else:
                return True
        return False

    def _first(self, items: list[_Item]) -> int | None:
        """The letters that ``items`` can begin with; None where they may be anything or nothing."""
        found = 0
        for item in items:
            if item[0] is codes.AT:
                continue
            first = self._first_of(item)
            if first is None:
                return None
            found |= first
            if not (item[0] in _REPEATS and item[1][0] == 0):
                return found
        return None

    def _first_of(self, item: _Item) -> int | None:
        op, argument = item
        if op in _ONE_LETTER:
            return self._letters(item)
        if op in _REPEATS:
            return self._first(_flat(argument[2]))
        if op is codes.BRANCH:
            sides = [self._first(_flat(each)) for each in argument[1]]
            found = 0
            for side in sides:
                if side is None:
                    return None
                found |= side
            return found
        return None

    def _letters(self, item: _Item) -> int:
        """The set of letters that a one-letter item may match, never too small."""
        op, argument = item
        if op is codes.LITERAL:
            return self._written(argument)
        if op is codes.NOT_LITERAL:
            return _ALL & ~_bit(argument) | _OTHER
        if op is codes.ANY:
            return _ALL
        negated = argument[0][0] is codes.NEGATE
        least = most = 0
        for kind, value in argument:
            if kind is codes.LITERAL:
                least, most = least | _bit(value), most | self._written(value)
            elif kind is codes.RANGE:
                for code in range(value[0], min(value[1], 255) + 1):
                    least, most = least | _bit(code), most | self._written(code)
                most |= _OTHER if value[1] > 255 else 0
            elif kind is codes.CATEGORY:
                low, high = _CATEGORIES.get(value, (0, _ALL))
                least, most = least | low, most | high
        return _ALL & ~least | _OTHER if negated else most

    def _written(self, code: int) -> int:
        """The letter of that number, in either case where case does not count."""
        if not self._any_case:
            return _bit(code)
        letter = chr(code)
        found = _bit(code) | _OTHER
        for other in letter.upper() + letter.lower():
            found |= _bit(ord(other))
        return found


def _cannot_fail(items: list[_Item]) -> bool:
    return all(op in _REPEATS and argument[0] == 0 for op, argument in items)


def _bit(code: int) -> int:
    return 1 << code if code < 256 else _OTHER


def _set(letters: str) -> int:
    found = 0
    for letter in letters:
        found |= _bit(ord(letter))
    return found


def _categories() -> dict[Any, tuple[int, int]]:
    """For each class of letters the least and the most it holds: bytes know ASCII only, text all of Unicode."""
    latin = [chr(code) for code in range(256)]
    found = {}
    for yes, no, holds in (
        (codes.CATEGORY_DIGIT, codes.CATEGORY_NOT_DIGIT, str.isdecimal),
        (codes.CATEGORY_SPACE, codes.CATEGORY_NOT_SPACE, str.isspace),
        (codes.CATEGORY_WORD, codes.CATEGORY_NOT_WORD, lambda each: each.isalnum() or each == "_"),
    ):
        most = _set("".join(each for each in latin if holds(each)))
        least = _set("".join(each for each in latin[:128] if holds(each)))
        if yes is codes.CATEGORY_SPACE:
            least = _set(" \t\n\r\f\v")
        found[yes] = (least, most | _OTHER)
        found[no] = (_LATIN & ~most, _ALL & ~least)
    return found


_CATEGORIES = _categories()
