"""What the search found, one example each: it was a crash once."""

from __future__ import annotations

import math
from typing import Any

import pytest

from las_jupyter.backends import process_id
from las_jupyter.core.errors import BadRequest
from las_jupyter.core.launch import LaunchSpec, Owner
from las_jupyter.core.quantities import parse_duration, parse_size
from las_jupyter.core.snapshot import EventRecord
from las_jupyter.core.states import Lifetime, Mode
from las_jupyter.core.wire import from_json
from las_jupyter.display.words import clock, nearest
from las_jupyter.limits.tree import boot_id
from las_jupyter.stack.reading import moment
from las_jupyter.stack.requests import start_request
from las_jupyter.supervisor.main import _rebuilt
from las_jupyter.supervisor.owner import OwnerGone, watch_owner

SPEC = LaunchSpec("one", "x", Mode.NATIVE, "native", ("x",))


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "GB", "9" * 308 + "TB", "1.2.3GB", "²GB", 1.5, None, []])
def test_a_size_that_is_none_is_a_value_error(text: Any):
    with pytest.raises(ValueError, match=r"is (not a number|no size)"):
        parse_size(text)


@pytest.mark.parametrize("text", ["9" * 400, math.nan, math.inf, 10**400, None, []])
def test_a_duration_that_has_no_end_is_a_value_error(text: Any):
    with pytest.raises(ValueError, match=r"is (not a number|no duration)"):
        parse_duration(text)


@pytest.mark.parametrize(
    "options",
    [{"model": False}, {"name": 7}, {"env": 3}, {"env": ["A=1"]}, {"args": 5}, {"gpus": 1.5}, {"cpus": 10**400},
     {"cpus": math.nan}, {"cpus": []}, {"memory": []}, {"timeout": {}}, {"expose": "yes"}, {"engine": 1}],
    ids=str,
)  # fmt: skip
def test_an_argument_of_another_kind_is_refused_in_words(options: Any):
    with pytest.raises(BadRequest) as caught:
        start_request("vllm", options)

    assert next(iter(options)) in caught.value.message
    assert caught.value.cause
    assert len(caught.value.message) < 120


def test_a_module_that_is_no_text_is_refused_in_words():
    with pytest.raises(BadRequest, match="module cannot be 7"):
        start_request(7, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("since", [[], {}, math.nan, math.inf, 10**400, "0001-01-01", "x" * 5000])
def test_a_moment_that_is_none_is_refused_in_words(since: Any):
    with pytest.raises(BadRequest, match="since cannot be") as caught:
        moment(since, 1.8e9)

    assert len(caught.value.message) < 120


@pytest.mark.parametrize("after", ["", "sleeping"])
def test_a_journal_in_words_of_another_version_does_not_end_the_supervisor(after: str):
    event = EventRecord(1.0, "Launched", "starting", after, "", 1, {"id": "²", "token": "x"})

    rebuilt = _rebuilt(SPEC, (event,))

    assert rebuilt is not None
    assert rebuilt.state.alive, "whether it runs is asked of its process"
    assert rebuilt.pid is None


@pytest.mark.parametrize("number", ["²", "-1", "0", "1", "9" * 30, "9" * 5000, "", "7 "])
def test_a_damaged_number_is_no_process(number: str):
    token = f"{boot_id()}:5:0:mark"

    assert process_id.parse("7", token) is not None
    assert process_id.parse(number, token) is None
    assert process_id.parse("7", f"{boot_id()}:{number if number != '0' else '²'}x:0:mark") is None


def test_an_owner_that_no_process_can_be_is_gone():
    spec = SPEC._replace(lifetime=Lifetime.KERNEL, owner=Owner(10**30, 5, boot_id()))

    with pytest.raises(OwnerGone):
        watch_owner(spec)


@pytest.mark.parametrize("at", [2.0**63, -(2.0**63), 1e300])
def test_a_moment_beyond_all_calendars_is_shown(at: float):
    assert clock(at) == "at no time"


@pytest.mark.parametrize("at", ["NaN", "Infinity", "-Infinity", "1" + "0" * 400])
def test_a_number_that_is_none_is_not_read_as_a_time(at: str):
    with pytest.raises(ValueError, match=r"EventRecord\.at is no number"):
        from_json(EventRecord, f'{{"at": {at}, "event": "x", "before": "", "after": "", "reason": ""}}')


@pytest.mark.timeout(20)
def test_a_word_of_a_megabyte_is_compared_with_nothing():
    assert nearest("x" * 1_000_000, ["start", "stop"]) is None
