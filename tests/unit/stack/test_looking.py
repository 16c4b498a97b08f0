"""What is told of instances: names, logs, events, status, settings."""

from __future__ import annotations

import pytest
from small_house import NOW, small_stack

from las_jupyter.core.errors import (
    BadRequest,
    NoSuchInstance,
)


def test_the_only_instance_needs_no_name():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="chat")

    assert "chat stopped" in str(stack.stop())


def test_with_two_instances_the_name_must_be_said():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="one")
    stack.start("llama.cpp", name="two")

    with pytest.raises(BadRequest) as caught:
        stack.stop()

    assert caught.value.cause == "there are one, two"


def test_an_unknown_name_is_told_the_nearest():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="chat")

    with pytest.raises(NoSuchInstance) as caught:
        stack.get("chatt")

    assert caught.value.remedy == "did you mean chat?"


def test_a_removed_instance_is_unknown():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")
    llm.stop()
    llm.remove()

    assert repr(llm) == "<llama.cpp: removed>"
    with pytest.raises(NoSuchInstance):
        _ = llm.state


def test_logs_are_text_without_escape_sequences():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert list(llm.logs(tail=2)) == ["two red", "three <script>"]
    assert list(llm.logs(grep="one")) == ["one"]
    assert list(llm.logs(since="10m", tail=1)) == ["three <script>"]
    assert list(llm.logs(since="10s")) == []


def test_a_pattern_that_is_none_is_named():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    with pytest.raises(BadRequest, match="not a regular expression"):
        llm.logs(grep="(")


def test_following_gives_whole_lines():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert list(llm.follow(tail=1)) == ["three <script>", "half a line", "and another"]


def test_events_are_told_oldest_first():
    stack, _, _ = small_stack()
    stack.start("llama.cpp")

    assert [each.event for each in stack.events()] == ["start-requested", "ready"]
    assert [each.event for each in stack.events(tail=1)] == ["ready"]


def test_status_shows_the_running_before_the_ended():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="a").stop()
    stack.start("llama.cpp", name="z")

    assert [each.name for each in stack.status()] == ["z", "a"]
    assert stack.status()["a"].exit.at == NOW


def test_status_shows_what_a_running_instance_uses():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert stack.status().records[0]["memory"] == "3.0 MiB"
    llm.stop()
    house.manager.usage = None
    assert stack.status().records[0]["memory"] == ""


def test_settings_can_be_narrowed_to_a_group():
    stack, _, _ = small_stack()

    assert [row.key for row in stack.config("runtime")] == ["runtime.default_mode"]
    with pytest.raises(BadRequest) as caught:
        stack.config("runtme")
    assert caught.value.remedy == "%las config runtime"
