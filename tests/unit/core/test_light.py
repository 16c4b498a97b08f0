"""One instance has one light, one word, one headline and one list of offers, wherever it is shown."""

from __future__ import annotations

import pytest

from las_jupyter.core.light import Light, Verb, headline, light, offers, word
from las_jupyter.core.snapshot import Fetching, Health, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.display.status import instance_line, status_table
from las_jupyter.widgets.wire import card

NOW = 1_800_000_000.0
RUNNING = Snapshot(
    "chat", "llama.cpp", Mode.NATIVE, "native", ProcessState.RUNNING, "ready after 1 s",
    Health(HealthState.HEALTHY, "/health answers 200", None, NOW), model="m",
)  # fmt: skip
EVERY_PAIR = [(state, health) for state in ProcessState for health in HealthState]


def in_state(state: ProcessState, health: HealthState = HealthState.HEALTHY) -> Snapshot:
    return RUNNING._replace(state=state, health=RUNNING.health._replace(state=health))


@pytest.mark.parametrize(("state", "health"), EVERY_PAIR)
def test_the_table_the_line_and_the_panel_show_the_same_light(state: ProcessState, health: HealthState) -> None:
    snapshot = in_state(state, health)

    assert card(snapshot).light == light(snapshot)
    assert f" {light(snapshot)}" in dict(status_table([snapshot], now=NOW).records[0])["health"]
    assert f", {light(snapshot)}, " in instance_line(snapshot)


@pytest.mark.parametrize(("state", "health"), EVERY_PAIR)
def test_only_a_server_that_runs_is_called_healthy_or_unhealthy(state: ProcessState, health: HealthState) -> None:
    believed = light(in_state(state, health)) in (Light.HEALTHY, Light.UNHEALTHY)

    assert believed == (state is ProcessState.RUNNING and health is not HealthState.UNKNOWN)


@pytest.mark.parametrize(("state", "health"), EVERY_PAIR)
def test_the_table_and_the_panel_explain_it_in_the_same_words(state: ProcessState, health: HealthState) -> None:
    snapshot = in_state(state, health)

    assert card(snapshot).headline == dict(status_table([snapshot], now=NOW).records[0])["reason"]


def test_a_state_that_says_more_than_its_light_is_the_word() -> None:
    assert [word(in_state(state)) for state in (ProcessState.STOPPING, ProcessState.BACKOFF, ProcessState.RUNNING)] == [
        "stopping",
        "restarting",
        "healthy",
    ]


def test_a_start_tells_what_it_does_and_else_what_was_seen_last() -> None:
    asked = in_state(ProcessState.STARTING)._replace(
        health=Health(HealthState.UNKNOWN, "its port 8080 is answered by nginx (process 7)", None, NOW)
    )

    assert headline(asked) == "its port 8080 is answered by nginx (process 7)"
    assert headline(asked._replace(health=asked.health._replace(phase="reading weights"))) == "reading weights"
    assert headline(asked._replace(fetching=Fetching("image:1", 3, 7))) == "pulling image:1: 3 of 7 layers"


def test_a_wait_for_a_restart_says_which_and_why() -> None:
    waiting = in_state(ProcessState.BACKOFF)._replace(restarts=1, reason="it ended with code 1")

    assert headline(waiting) == "restart 2 is due; it ended with code 1"


def test_a_stop_is_offered_to_what_runs_and_a_start_to_what_ended() -> None:
    offered = {state: [each.verb for each in offers(in_state(state))] for state in ProcessState}

    assert offered == {
        ProcessState.STARTING: [Verb.RESTART, Verb.STOP],
        ProcessState.RUNNING: [Verb.RESTART, Verb.STOP],
        ProcessState.BACKOFF: [Verb.RESTART, Verb.STOP],
        ProcessState.STOPPING: [],
        ProcessState.STOPPED: [Verb.START, Verb.REMOVE],
        ProcessState.FAILED: [Verb.START, Verb.REMOVE],
    }


def test_what_would_be_lost_is_asked_about_first_and_named_truly() -> None:
    def question(snapshot: Snapshot, verb: Verb) -> str | None:
        return next(each.confirm for each in offers(snapshot) if each.verb is verb)

    assert question(RUNNING, Verb.STOP) == "Stop it? Its model is unloaded."
    assert question(RUNNING._replace(model=None), Verb.STOP) == "Stop it? Requests under way are lost."
    assert question(in_state(ProcessState.STARTING), Verb.STOP) is None
    assert question(in_state(ProcessState.STOPPED), Verb.START) is None
    assert "logs" in (question(in_state(ProcessState.STOPPED), Verb.REMOVE) or "")
