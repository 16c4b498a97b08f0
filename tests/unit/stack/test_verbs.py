from __future__ import annotations

import asyncio
import importlib
import inspect
import threading
from pathlib import Path

import pytest
from small_house import small_stack

import las_jupyter as las
from las_jupyter.core.errors import BadRequest, UnknownOption
from las_jupyter.core.states import ProcessState
from las_jupyter.stack import aio, verbs
from las_jupyter.stack.instance import Instance


@pytest.fixture
def house(monkeypatch):
    stack, small, _ = small_stack()
    monkeypatch.setattr(verbs, "default_stack", lambda: stack)
    monkeypatch.setattr(aio, "default_stack", lambda: stack)
    return small


@pytest.mark.parametrize("name", verbs.VERBS)
def test_a_verb_is_the_same_awaited(name):
    blocking, awaited = getattr(verbs, name), getattr(aio, name)

    assert inspect.iscoroutinefunction(awaited)
    assert list(inspect.signature(awaited).parameters) == list(inspect.signature(blocking).parameters)


@pytest.mark.parametrize("name", ["logs", "follow", "wait_ready", "stop", "restart", "remove"])
def test_a_slow_method_of_an_instance_is_the_same_awaited(name):
    blocking, awaited = getattr(Instance, name), getattr(aio.AsyncInstance, name)

    assert inspect.iscoroutinefunction(awaited) or inspect.isasyncgenfunction(awaited)
    assert list(inspect.signature(awaited).parameters) == list(inspect.signature(blocking).parameters)


def test_every_public_attribute_of_an_instance_is_there_awaited(house):
    async def story() -> aio.AsyncInstance:
        return await aio.start("llama.cpp")

    llm = asyncio.run(story())

    for name in (each for each in dir(Instance) if not each.startswith("_")):
        assert getattr(llm, name, "missing") != "missing", name


def test_every_verb_is_public_and_no_room_takes_its_place():
    for room in Path(las.__file__).parent.iterdir():
        if (room / "__init__.py").exists():
            importlib.import_module(f"las_jupyter.{room.name}")

    assert all(getattr(las, name) is getattr(verbs, name) for name in verbs.VERBS)


def test_a_misspelt_argument_names_the_one_that_was_meant(house):
    with pytest.raises(UnknownOption) as caught:
        las.start("llama.cpp", modle="x")

    assert caught.value.message == "start has no argument 'modle'."
    assert caught.value.remedy == "did you mean model=?"
    assert house.planned == []


def test_help_spells_out_every_start_option():
    parameters = inspect.signature(las.start).parameters

    assert {"model", "gpus", "lifetime", "overcommit", "wait"} <= set(parameters)
    assert parameters["lifetime"].default == "detached"


def test_an_awaited_start_never_blocks_the_loop(house):
    loop_thread = threading.current_thread()
    seen: list[threading.Thread] = []
    ready = house.manager.on_wait
    house.manager.on_wait = lambda name: (seen.append(threading.current_thread()), ready(name))[1]

    async def story() -> ProcessState:
        async with await aio.start("llama.cpp") as llm:
            assert [line async for line in llm.follow(tail=0)] == ["half a line", "and another"]
            return llm.state

    assert asyncio.run(story()) is ProcessState.RUNNING
    assert seen
    assert loop_thread not in seen
    assert house.manager.known["llama.cpp"].state is ProcessState.STOPPED


def test_an_awaited_error_is_the_same_error(house):
    with pytest.raises(BadRequest):
        asyncio.run(aio.start("llama.cpp", port=-1))


def test_giving_up_an_awaited_start_keeps_the_server(house):
    held = threading.Event()
    house.manager.on_wait = lambda name: (held.wait(10), house.manager.become_ready(name))[1]

    async def story() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aio.start("llama.cpp"), 0.2)

    asyncio.run(story())
    held.set()

    assert house.manager.known["llama.cpp"].state.alive
