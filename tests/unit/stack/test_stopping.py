"""The end of an instance, asked for or at the end of a block."""

from __future__ import annotations

import pytest
from small_house import small_stack

from las_jupyter.core.errors import (
    StopFailed,
)
from las_jupyter.core.states import ProcessState


def test_a_context_manager_stops_at_the_end():
    stack, house, _ = small_stack()

    with stack.start("llama.cpp", wait=False) as llm:
        assert llm.state is ProcessState.RUNNING

    assert house.manager.known["llama.cpp"].state is ProcessState.STOPPED


def test_a_context_manager_stops_on_an_error_and_lets_it_through():
    stack, house, _ = small_stack()

    with pytest.raises(ZeroDivisionError), stack.start("llama.cpp"):
        raise ZeroDivisionError

    assert house.manager.known["llama.cpp"].state is ProcessState.STOPPED


def test_a_stop_that_fails_does_not_hide_the_error_of_the_block():
    stack, house, _ = small_stack()

    def fail(name: str, **_: object) -> None:
        raise StopFailed("worker 7 ignores SIGKILL.")

    house.manager.stop = fail
    with pytest.raises(ZeroDivisionError), stack.start("llama.cpp"):
        raise ZeroDivisionError


def test_a_stop_that_fails_at_the_end_of_a_block_is_told():
    stack, house, _ = small_stack()

    def fail(name: str, **_: object) -> None:
        raise StopFailed("worker 7 ignores SIGKILL.")

    house.manager.stop = fail
    with pytest.raises(StopFailed), stack.start("llama.cpp"):
        pass


def test_a_stop_says_how_it_ended():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert str(llm.stop()) == "llama.cpp stopped: ended with code 0 after it was asked to stop"
    assert llm.exit is not None
    assert llm.exit.code == 0


def test_stopping_twice_is_one_stop():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")
    llm.stop()

    assert str(llm.stop()) == "llama.cpp was not running: stopped on request"
    assert len([call for call in house.manager.calls if call[0] == "stop"]) == 1


def test_the_grace_of_a_stop_may_be_written_with_a_unit():
    stack, house, _ = small_stack()
    stack.start("llama.cpp")

    stack.stop(grace="2m")

    assert ("stop", ("llama.cpp", 120.0)) in house.manager.calls


def test_all_instances_are_stopped_when_that_is_said():
    stack, house, _ = small_stack()
    stack.start("llama.cpp", name="one")
    stack.start("llama.cpp", name="two")

    told = stack.stop(all=True)

    assert len(str(told).splitlines()) == 2
    assert not any(each.state.alive for each in house.manager.known.values())
