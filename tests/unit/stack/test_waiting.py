"""Waiting for an instance, interrupted or given up: the server is never harmed by it."""

from __future__ import annotations

import pytest
from small_house import small_stack

from las_jupyter.core.errors import (
    StartTimeout,
)
from las_jupyter.core.states import ProcessState
from las_jupyter.stack.waiting import WaitInterrupted


def test_an_interrupt_stops_the_waiting_and_not_the_server():
    stack, house, _ = small_stack()

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    house.manager.on_wait = interrupt
    with pytest.raises(WaitInterrupted) as caught:
        stack.start("llama.cpp")

    assert "Stopped waiting for llama.cpp" in caught.value.lines()[0]
    assert stack.get("llama.cpp").state is ProcessState.STARTING


def test_while_nothing_changes_the_line_goes_on():
    stack, house, told = small_stack()
    slices = iter([StartTimeout("not ready after 1 s"), StartTimeout("not ready after 1 s")])

    def slow(name: str, **_: object) -> object:
        for timed_out in slices:
            raise timed_out
        house.manager.become_ready(name)
        return house.manager.snapshot(name)

    house.manager.wait_ready = slow

    assert stack.start("llama.cpp").state is ProcessState.RUNNING
    assert len([text for text, _ in told.updates if text.startswith("llama.cpp: starting")]) == 2


def test_a_time_out_of_the_caller_names_its_own_seconds_and_stops_nothing():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp", wait=False)

    def never(name: str) -> None:
        raise StartTimeout("not ready after 0.5 s")

    house.manager.on_wait = never
    with pytest.raises(StartTimeout, match=r"llama.cpp is not ready after 0.5 s; it goes on starting."):
        llm.wait_ready(timeout=0.5)

    assert llm.state is ProcessState.STARTING


def test_a_start_that_stalled_is_told_in_the_words_of_the_supervisor():
    stack, house, _ = small_stack()

    def stalled(name: str) -> None:
        house.manager.known[name] = house.manager.known[name]._replace(state=ProcessState.FAILED)
        raise StartTimeout("no progress for 120 s")

    house.manager.on_wait = stalled
    with pytest.raises(StartTimeout, match="no progress for 120 s"):
        stack.start("llama.cpp")


def test_an_interrupted_stop_says_that_it_goes_on():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")

    def interrupt(name: str, **_: object) -> None:
        raise KeyboardInterrupt

    house.manager.stop = interrupt
    with pytest.raises(WaitInterrupted) as caught:
        llm.stop()

    assert caught.value.lines() == ["Stopped waiting; llama.cpp goes on ending.", "→ %las status llama.cpp"]


def test_an_interrupted_download_starts_nothing_and_says_so():
    stack, house, _ = small_stack()

    def interrupt(plan: object, on_bytes: object) -> None:
        raise KeyboardInterrupt

    house.fetch = interrupt
    with pytest.raises(WaitInterrupted, match="Stopped fetching m; nothing half-fetched is left"):
        stack.start("llama.cpp", model="m")

    assert house.manager.known == {}
