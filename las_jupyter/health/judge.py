"""
What to believe after an answer: runs of equal answers against thresholds, as a pure function.

A slow or missing answer is a no, but one no is not an illness: ``unhealthy_after`` of them in a row are. What could not
be asked changes nothing. A stranger on the port is no opinion but a fact: it counts at once.
"""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.core.launch import LiveRule
from las_jupyter.core.states import HealthState
from las_jupyter.health.answers import Answer, Word


class Belief(NamedTuple):
    """The belief and how many answers in a row speak for, or against, it."""

    state: HealthState = HealthState.UNKNOWN
    reason: str = "not asked yet"
    yes: int = 0
    no: int = 0


def judge(belief: Belief, answer: Answer, rule: LiveRule) -> Belief:
    """The belief after ``answer``."""
    match answer.word:
        case Word.UNASKED:
            return belief
        case Word.LOADING:
            return Belief(HealthState.UNKNOWN, answer.reason)
        case Word.YES:
            count = belief.yes + 1
            if belief.state is HealthState.HEALTHY or count >= rule.healthy_after:
                return Belief(HealthState.HEALTHY, answer.reason, yes=count)
            return belief._replace(yes=count, no=0)
        case Word.FOREIGN:
            return Belief(HealthState.UNHEALTHY, answer.reason, no=belief.no + 1)
        case Word.NO:
            count = belief.no + 1
            if belief.state is HealthState.UNHEALTHY or count >= rule.unhealthy_after:
                return Belief(HealthState.UNHEALTHY, f"{answer.reason}, {count} times in a row", no=count)
            return belief._replace(yes=0, no=count)
