"""What to believe after an answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.launch import LiveRule
from las_jupyter.core.states import HealthState
from las_jupyter.health.answers import Answer, Word
from las_jupyter.health.judge import Belief, judge

RULE = LiveRule(unhealthy_after=3, healthy_after=2)
HEALTHY = Belief(HealthState.HEALTHY, "/health answers 200", yes=5)


def after(belief: Belief, *words: Word) -> Belief:
    for word in words:
        belief = judge(belief, Answer(word, f"it said {word.value}"), RULE)
    return belief


def test_a_broken_probe_changes_nothing():
    assert after(HEALTHY, Word.UNASKED) is HEALTHY


def test_one_missed_answer_is_no_illness():
    assert after(HEALTHY, Word.NO, Word.NO).state is HealthState.HEALTHY


def test_three_in_a_row_are_and_the_reason_counts_them():
    belief = after(HEALTHY, Word.NO, Word.NO, Word.NO)

    assert belief.state is HealthState.UNHEALTHY
    assert belief.reason == "it said no, 3 times in a row"


def test_a_good_answer_in_between_begins_the_count_again():
    assert after(HEALTHY, Word.NO, Word.NO, Word.YES, Word.NO, Word.NO).state is HealthState.HEALTHY


def test_recovery_needs_as_many_good_answers_as_configured():
    ill = after(HEALTHY, Word.NO, Word.NO, Word.NO)

    assert after(ill, Word.YES).state is HealthState.UNHEALTHY
    assert after(ill, Word.YES, Word.YES).state is HealthState.HEALTHY


def test_loading_is_unknown_and_not_unhealthy():
    assert after(HEALTHY, Word.LOADING).state is HealthState.UNKNOWN


def test_a_stranger_on_the_port_is_a_fact_and_counts_at_once():
    assert after(HEALTHY, Word.FOREIGN) == Belief(HealthState.UNHEALTHY, "it said foreign", no=1)
    assert after(HEALTHY, Word.FOREIGN, Word.YES, Word.YES).state is HealthState.HEALTHY


@given(st.lists(st.sampled_from([word for word in Word if word is not Word.FOREIGN])))
def test_nobody_is_called_unhealthy_without_enough_answers_of_no_in_a_row(words):
    longest = run = 0
    for word in words:
        run = run + 1 if word is Word.NO else run if word is Word.UNASKED else 0
        longest = max(longest, run)

    if longest < RULE.unhealthy_after:
        assert after(HEALTHY, *words).state is not HealthState.UNHEALTHY
