"""The words and shapes for states, times and foreign text."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from las_jupyter.core.light import headline, light
from las_jupyter.core.quantities import format_duration
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState
from las_jupyter.core.unseen import seen

SHAPES = {"healthy": "●", "starting": "◌", "unknown": "◌", "unhealthy": "▲", "failed": "■", "stopped": "–"}
"""One shape for each light, so that it can be read without its colour."""

_LONGEST_SLIP = 100
_THEIRS = 240
"""Characters of a manifest's own words that are quoted: a sentence or two."""


def plain(text: str) -> str:
    """``text`` without escape sequences and what cannot be seen; tabs and line ends stay."""
    return seen(text)


def plain_log(text: str) -> str:
    """As ``plain``, for a line of a log: what joins the letters of a script or the parts of an emoji stays."""
    return seen(text, joiners=True)


def theirs(text: str) -> str:
    """What a manifest says that nobody here vouches for, as its own words."""
    quoted = one_line(text, _THEIRS).replace("“", '"').replace("”", '"')
    return f"its manifest says: “{quoted}”"


def short(value: object, width: int = 60) -> str:
    """``value`` as Python writes it, for a sentence about it."""
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def one_line(text: str, width: int = 0) -> str:
    """``text`` on one line, cut to ``width`` characters with an ellipsis when ``width`` is given."""
    line = " ".join(plain(text).split())
    return line if not width or len(line) <= width else line[: width - 1] + "…"


def health_words(snapshot: Snapshot) -> str:
    """The light with its shape, and what it is doing while it loads, as ``◌ starting: reading weights``."""
    word = light(snapshot)
    if snapshot.fetching and snapshot.state.alive:
        return f"{SHAPES[word]} {word}: pulling its image"
    phase = snapshot.health.phase if snapshot.health.state is HealthState.UNKNOWN else None
    return f"{SHAPES[word]} {word}" + (f": {one_line(phase, 40)}" if phase and snapshot.state.alive else "")


def why(snapshot: Snapshot) -> str:
    """The sentence that explains the light, on one line."""
    return one_line(headline(snapshot))


def ago(seconds: float) -> str:
    """``3 min 20 s ago``; a clock that was set back never makes it negative."""
    return f"{format_duration(max(0.0, seconds))} ago"


def clock(at: float | None) -> str:
    """A moment as local wall clock time with the day, to the second; empty for None."""
    if at is None:
        return ""
    try:
        return datetime.datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return "at no time"  # a damaged file may say anything


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, or None."""
    bare = _bare(word)
    if len(bare) > _LONGEST_SLIP:
        return None
    candidates = sorted(known)
    costs = [(_typing_cost(bare, _bare(candidate)), candidate) for candidate in candidates]
    close = [each for each in costs if each[0] <= max(2.0, 0.7 * len(bare))]
    if close:
        return min(close)[1]
    longer = [candidate for candidate in candidates if len(bare) > 1 and _bare(candidate).startswith(bare)]
    return longer[0] if longer else None


_SAME_AS = {"docker": "container", "podman": "container", "oci": "container", "local": "native", "process": "native"}


def nearest_choice(word: str, choices: Iterable[str]) -> str | None:
    """As ``nearest``, for a closed list: another name for the same thing counts as well."""
    known = list(choices)
    other = _SAME_AS.get(word.lower())
    return other if other in known else nearest(word, known)


def _bare(word: str) -> str:
    return word.lower().strip("-").replace("_", "-")


def _typing_cost(typed: str, meant: str) -> float:
    """Cost of the slips that turn one word into the other: two letters swapped 1, a letter more, less or other 2."""
    before: list[float] = []
    row: list[float] = [2.0 * column for column in range(len(meant) + 1)]
    for i, a in enumerate(typed):
        oldest, before, row = before, row, [2.0 * (i + 1)]
        for j, b in enumerate(meant):
            cost = min(before[j] + (a != b) * 2, before[j + 1] + 2, row[j] + 2)
            if i and j and a == meant[j - 1] and typed[i - 1] == b:
                cost = min(cost, oldest[j - 1] + 1)
            row.append(cost)
    return row[-1]
