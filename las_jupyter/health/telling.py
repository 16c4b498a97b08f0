"""
How often a change of health is worth a line: a server that flaps all day must not fill a disk with it.

The newest belief is always in the snapshot. This is only about the story: the first ``MOST`` changes of a minute are
told one by one, the others are counted and told in one line when the minute is over.
"""

from __future__ import annotations

from typing import NamedTuple

MOST = 10
"""Lines. A server that is really ill changes once or twice; a person reads no more than this."""

WINDOW = 60.0
"""Seconds."""


class Told(NamedTuple):
    """What was told since ``since``, on the monotonic clock; ``untold`` changes came beyond it, ``last`` the newest."""

    since: float = float("-inf")
    lines: int = 0
    untold: int = 0
    last: str = ""


def change(told: Told, text: str, now: float) -> tuple[Told, list[str]]:
    """A change came: what is known then, and the lines to tell."""
    told, lines = settle(told, now)
    if now - told.since >= WINDOW:
        told = Told(now)
    if told.lines < MOST:
        return told._replace(lines=told.lines + 1), [*lines, text]
    return told._replace(untold=told.untold + 1, last=text), lines


def settle(told: Told, now: float) -> tuple[Told, list[str]]:
    """Once the minute is over, the one line for all that was not told."""
    if not told.untold or now - told.since < WINDOW:
        return told, []
    return Told(), [f"{told.untold} more changes within a minute, at last {told.last}"]
