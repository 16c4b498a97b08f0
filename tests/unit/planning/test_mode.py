"""Native or container: what everybody accepts, and why the other one lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.states import Mode
from las_jupyter.planning.mode import ModeQuestion, choose_mode

modes = st.none() | st.sampled_from(Mode)
objections = st.fixed_dictionaries(
    {mode: st.lists(st.sampled_from(["no a", "no b"]), max_size=2).map(tuple) for mode in Mode}
)


@given(objections, modes, modes, modes)
def test_a_chosen_mode_is_one_that_everybody_accepts(against, asked, preferred, default):
    try:
        choice = choose_mode(ModeQuestion(against, asked, preferred, default), "x")
    except PlanRefused:
        assert all(against.values()) or (asked is not None and against[asked])
        return
    assert not against[choice.mode]
    assert asked in (None, choice.mode)


@given(objections, modes, modes)
def test_a_preferred_mode_that_is_possible_is_chosen(against, preferred, default):
    if preferred is None or against[preferred]:
        return
    assert choose_mode(ModeQuestion(against, None, preferred, default), "x").mode is preferred


def test_a_preferred_mode_that_is_not_possible_is_named_with_its_reason():
    choice = choose_mode(ModeQuestion({Mode.CONTAINER: ("no daemon",)}, None, Mode.CONTAINER, None), "x")

    assert choice.mode is Mode.NATIVE
    assert choice.reason == "container, which is preferred, is not possible"
    assert choice.passed_over == {Mode.CONTAINER: "no daemon"}


def test_a_wish_that_cannot_be_met_is_refused_and_not_replaced():
    with pytest.raises(PlanRefused) as refused:
        choose_mode(ModeQuestion({Mode.CONTAINER: ("no daemon",)}, Mode.CONTAINER), "x")

    assert refused.value.cause == "no daemon"
    assert refused.value.remedy == "%las start x --mode native"


def test_without_any_wish_the_configured_default_is_taken():
    assert choose_mode(ModeQuestion({}, None, None, Mode.CONTAINER), "x").mode is Mode.CONTAINER
