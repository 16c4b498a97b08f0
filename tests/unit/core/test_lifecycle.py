"""The lifecycle rule: events in, effects out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from las_jupyter.core.launch import RestartRule
from las_jupyter.core.lifecycle import (
    BEGIN,
    BecameReady,
    Effect,
    Event,
    GraceOver,
    Launched,
    LaunchRefused,
    Life,
    LimitBroken,
    MainEnded,
    NothingLeft,
    RanLongEnough,
    RestartRequested,
    Stalled,
    StopRequested,
    WaitOver,
    advance,
    restart_delay,
    resumed,
)
from las_jupyter.core.states import ProcessState, RestartPolicy

NEVER = RestartRule()
ON_FAILURE = RestartRule(RestartPolicy.ON_FAILURE, first=2.0, factor=2.0, cap=60.0, max_tries=3)
ALWAYS = RestartRule(RestartPolicy.ALWAYS, max_tries=3)


def after(*events: Event, rule: RestartRule = NEVER) -> tuple[Life, list[Effect]]:
    """The life after these events, and every effect on the way."""
    life, effects = BEGIN.life, list(BEGIN.effects)
    for event in events:
        step = advance(life, event, rule)
        life = step.life
        effects += step.effects
    return life, effects


UP = (Launched(), BecameReady("ready after 1 s"))
DOWN = (MainEnded("it ended by itself with exit code 1", True), NothingLeft())


def test_a_start_leads_through_ready_to_running() -> None:
    life, effects = after(*UP)

    assert (life.state, life.ready, effects) == (ProcessState.RUNNING, True, [Effect.LAUNCH])


def test_stopped_is_said_only_when_nothing_is_left() -> None:
    asked = (*UP, StopRequested("stop requested"), MainEnded("ended", False))

    assert after(*asked)[0].state is ProcessState.STOPPING
    assert after(*asked, NothingLeft())[0].state is ProcessState.STOPPED


def test_a_stop_asks_once_and_insists_after_the_grace() -> None:
    _, effects = after(*UP, StopRequested("a"), StopRequested("b"), GraceOver())

    assert effects == [Effect.LAUNCH, Effect.ASK_TO_STOP, Effect.INSIST]


def test_a_launch_that_finished_after_the_stop_is_still_ended() -> None:
    life, effects = after(StopRequested("stop requested"), Launched())

    assert life.state is ProcessState.STOPPING
    assert Effect.ASK_TO_STOP in effects


def test_whoever_ends_before_it_was_ready_has_failed_even_with_exit_code_0() -> None:
    life, _ = after(Launched(), MainEnded("it ended by itself with exit code 0", False), NothingLeft())

    assert life.state is ProcessState.FAILED


def test_an_end_with_code_0_after_ready_is_stopped_and_not_failed() -> None:
    life, _ = after(*UP, MainEnded("it ended by itself with exit code 0", False), NothingLeft())

    assert life.state is ProcessState.STOPPED


def test_a_refused_launch_is_never_retried() -> None:
    life, effects = after(LaunchRefused("no such file"), rule=ALWAYS)

    assert (life.state, effects) == (ProcessState.FAILED, [Effect.LAUNCH, Effect.FINISH])


def test_nothing_is_restarted_unless_configured() -> None:
    life, effects = after(*UP, *DOWN)

    assert life.state is ProcessState.FAILED
    assert effects.count(Effect.LAUNCH) == 1


def test_a_configured_restart_waits_and_counts_and_gives_up() -> None:
    events = [*UP, *DOWN]
    for _ in range(3):
        events += [WaitOver(), *UP, *DOWN]

    life, effects = after(*events, rule=ON_FAILURE)

    assert effects.count(Effect.LAUNCH) == 4
    assert effects.count(Effect.WAIT_BEFORE_RESTART) == 3
    assert (life.state, life.tries) == (ProcessState.FAILED, 3)
    assert "given up after 3 restarts" in life.reason


def test_a_long_stable_run_begins_the_count_again() -> None:
    life, _ = after(*UP, *DOWN, WaitOver(), *UP, RanLongEnough(), rule=ON_FAILURE)

    assert life.tries == 0


def test_a_clean_end_is_restarted_by_always_and_not_by_on_failure() -> None:
    clean = (*UP, MainEnded("it ended by itself with exit code 0", False), NothingLeft())

    assert after(*clean, rule=ON_FAILURE)[0].state is ProcessState.STOPPED
    assert after(*clean, rule=ALWAYS)[0].state is ProcessState.BACKOFF


def test_out_of_memory_is_not_tried_again_by_on_failure() -> None:
    ended = (*UP, MainEnded("killed because it ran out of memory", True, hopeless=True), NothingLeft())
    broken = (*UP, LimitBroken("it used too much"), MainEnded("ended", True), NothingLeft())

    assert after(*ended, rule=ON_FAILURE)[0].state is ProcessState.FAILED
    assert after(*broken, rule=ON_FAILURE)[0].state is ProcessState.FAILED
    assert after(*ended, rule=ALWAYS)[0].state is ProcessState.BACKOFF


def test_a_stop_during_the_wait_ends_it_at_once() -> None:
    life, effects = after(*UP, *DOWN, StopRequested("stop requested"), rule=ON_FAILURE)

    assert (life.state, effects[-1]) == (ProcessState.STOPPED, Effect.FINISH)


def test_a_requested_restart_launches_again_when_everything_is_gone() -> None:
    life, effects = after(*UP, RestartRequested("restart requested"), MainEnded("ended", False), NothingLeft())

    assert life.state is ProcessState.STARTING
    assert effects.count(Effect.LAUNCH) == 2


def test_the_last_of_stop_and_restart_wins() -> None:
    ended = (MainEnded("ended", False), NothingLeft())

    stopped, _ = after(*UP, RestartRequested("r"), StopRequested("s"), *ended)
    again, _ = after(*UP, StopRequested("s"), RestartRequested("r"), *ended)

    assert (stopped.state, again.state) == (ProcessState.STOPPED, ProcessState.STARTING)


def test_a_start_that_is_given_up_has_failed_with_that_reason() -> None:
    life, _ = after(Launched(), Stalled("it made no progress for 2 min"), MainEnded("ended", False), NothingLeft())

    assert (life.state, life.reason) == (ProcessState.FAILED, "it made no progress for 2 min")


def test_restart_waits_grow_to_their_cap() -> None:
    assert [restart_delay(ON_FAILURE, tries) for tries in (0, 1, 2, 5, 5000)] == [2.0, 4.0, 8.0, 60.0, 60.0]


@pytest.mark.parametrize(
    ("before", "ended_by", "wanted"),
    [
        (ProcessState.RUNNING, "", (ProcessState.RUNNING, False, False, False)),
        (ProcessState.STOPPING, "StopRequested", (ProcessState.STOPPING, True, False, False)),
        (ProcessState.STOPPING, "RestartRequested", (ProcessState.STOPPING, True, True, False)),
        (ProcessState.STOPPING, "Stalled", (ProcessState.STOPPING, False, False, True)),
        (ProcessState.BACKOFF, "MainEnded", (ProcessState.BACKOFF, False, False, True)),
    ],
)
def test_a_life_is_resumed_where_its_supervisor_died(
    before: ProcessState, ended_by: str, wanted: tuple[ProcessState, bool, bool, bool]
) -> None:
    life = resumed(before, ready=True, tries=1, ended_by=ended_by)

    assert (life.state, life.requested, life.again, life.failed) == wanted


words = some.text(max_size=5)
events = some.one_of(
    some.builds(Launched), some.builds(LaunchRefused, words), some.builds(BecameReady, words),
    some.builds(Stalled, words), some.builds(LimitBroken, words), some.builds(StopRequested, words),
    some.builds(RestartRequested, words), some.builds(MainEnded, words, some.booleans(), some.booleans()),
    some.builds(GraceOver), some.builds(NothingLeft), some.builds(WaitOver), some.builds(RanLongEnough),
)  # fmt: skip
rules = some.builds(RestartRule, policy=some.sampled_from(RestartPolicy), max_tries=some.integers(0, 4))


@given(some.lists(events, max_size=40), rules)
def test_whatever_happens_the_rule_keeps_its_promises(history: list[Event], rule: RestartRule) -> None:
    life, launches = BEGIN.life, 1
    for event in history:
        step = advance(life, event, rule)
        ended = not step.life.state.alive
        assert (Effect.FINISH in step.effects) == (ended and life.state.alive)
        if Effect.LAUNCH in step.effects:
            launches += 1
            assert step.life.state is ProcessState.STARTING
            assert not step.life.ready
        if Effect.WAIT_BEFORE_RESTART in step.effects:
            assert rule.policy is not RestartPolicy.NO
        if not life.state.alive:
            assert step.life == life
            assert not step.effects
        assert step.life.tries <= rule.max_tries
        life = step.life


@given(some.lists(events, max_size=40), rules)
def test_a_stop_is_final_unless_a_restart_was_asked_for_after_it(history: list[Event], rule: RestartRule) -> None:
    life = BEGIN.life
    for event in [*history, StopRequested("stop")]:
        life = advance(life, event, rule).life

    for event in (MainEnded("ended", True), NothingLeft()):
        life = advance(life, event, rule).life

    assert not life.state.alive
