"""
Numbers of users that nobody has: for the containers of root, who is not to lend them the number of a person.

A process of a container is a process of this machine, and whoever has its number may read its environment, where its
key is, and the files that it writes.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Iterable
from pathlib import Path
from zlib import crc32

FIRST, MANY = 2_050_000_000, 50_000_000
"""
Above all that is given to people, directories (200,000 to 2,000,200,000 in SSSD) and containers (to 1,879,048,191 in
systemd), below what systemd keeps for files of other machines (2,147,352,576), and what runc takes (2^31 - 1).
"""
_NOBODY = 65534
_LOWER = range(59_999, 20_000, -1)
"""Where a namespace knows no such numbers: above accounts in general, below systemd's own from 60,000 on."""

Ranges = tuple[tuple[int, int], ...]
"""First number and count of each."""


def spare_number(name: str, is_known: Callable[[int], bool], mapped: Ranges) -> int:
    """
    A number for the instance ``name``, the same each time as long as nobody ``is_known`` to have it.

    ``mapped`` are the numbers that exist in this namespace. Raises ``LookupError`` when none is left.
    """
    begin = crc32(name.encode()) % MANY
    numbers: Iterable[int] = (FIRST + (begin + step) % MANY for step in range(MANY))
    if not (_within(FIRST, mapped) and _within(FIRST + MANY - 1, mapped)):
        numbers = (number for number in _LOWER if _within(number, mapped))
    for number in numbers:
        if not is_known(number):
            return number
    raise LookupError("every number of this namespace is somebody's")


def _within(number: int, ranges: Ranges) -> bool:
    return any(first <= number < first + count for first, count in ranges)


def number_for(name: str) -> int:
    """``spare_number`` on this machine: neither a user nor a group, nor lent to anybody's containers."""
    lent = (*_ranges("/etc/subuid"), *_ranges("/etc/subgid"))
    try:
        return spare_number(name, lambda number: _is_known(number, lent), _mapped())
    except LookupError:
        return _NOBODY  # in a namespace so small no engine makes containers for it


def account(number: int) -> str:
    """Whose number it is, or an empty text."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return ""


def _is_known(number: int, lent: Ranges) -> bool:
    if _within(number, lent) or account(number):
        return True
    try:
        grp.getgrgid(number)
    except KeyError:
        return False
    return True


def _ranges(path: str) -> Ranges:
    """What stands in a file like ``/etc/subuid``: NAME:FIRST:COUNT. A line that is none lends nothing."""
    return tuple((int(words[1]), int(words[2])) for words in _lines(path, ":") if _are_numbers(words[1:], 2))


def _mapped() -> Ranges:
    """The numbers that exist here, all of them outside of any namespace."""
    rows = [words for words in _lines("/proc/self/uid_map", None) if _are_numbers(words, 3)]
    return tuple((int(words[0]), int(words[2])) for words in rows) or ((0, 2**32 - 1),)


def _are_numbers(words: list[str], many: int) -> bool:
    return len(words) == many and all(word.strip().isdecimal() for word in words)


def _lines(path: str, between: str | None) -> Iterable[list[str]]:
    try:
        return [line.split(between) for line in Path(path).read_text().splitlines()]
    except (OSError, ValueError):
        return []
