"""
Whether work moves: a server can answer "healthy" while the engine behind it is frozen.

The page is Prometheus text; samples of one name are added up over their labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from las_jupyter.core.launch import Progress
from las_jupyter.core.quantities import format_duration
from las_jupyter.health.answers import Answer, Word


class Work(NamedTuple):
    """The counter and when, on the monotonic clock, it last moved or nothing was to be done."""

    counter: float
    moved_at: float


def sample(page: str, name: str) -> float | None:
    """The sum of the samples called ``name``, or None when there is none."""
    total, found = 0.0, False
    for rest in _lines_of(page, name):
        if rest[:1] not in {"{", " ", "\t"}:
            continue
        # After the labels, whose values may hold blanks, come the number and perhaps a time.
        words = rest.rpartition("}")[2].split()
        try:
            total, found = total + float(words[0]), True
        except (ValueError, IndexError):
            continue
    return total if found else None


def _lines_of(page: str, name: str) -> Iterator[str]:
    """What follows ``name`` on each line that begins with it. A list of all lines may be many times the page."""
    page, mark = f"\n{page}", f"\n{name}"
    at = page.find(mark)
    while at >= 0:
        end = page.find("\n", at + 1)
        end = len(page) if end < 0 else end
        yield page[at + len(mark) : end]
        at = page.find(mark, end)


def judge_work(work: Work | None, page: str, rule: Progress, now: float) -> tuple[Work | None, Answer]:
    """What is known of the work after ``page``, and the answer. A page without the samples says nothing."""
    counter, busy = sample(page, rule.counter), sample(page, rule.busy)
    if counter is None or busy is None:
        missing = rule.counter if counter is None else rule.busy
        return work, Answer(Word.UNASKED, f"{rule.path} has no {missing}")
    if work is None or busy <= 0 or counter != work.counter:
        return Work(counter, now), Answer(Word.YES, "work moves" if busy > 0 else "nothing to do")
    still = now - work.moved_at
    if still < rule.stuck_after:
        return work, Answer(Word.YES, "work has not moved for a moment")
    return work, Answer(Word.NO, f"{busy:g} requests are under way and none moved for {format_duration(still)}")
