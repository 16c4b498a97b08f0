"""``--env NAME`` takes a value from here, and no surface shows it."""

from __future__ import annotations

import json

import pytest
from small_house import small_stack
from worlds import a_world

from las_jupyter.core.errors import BadRequest
from las_jupyter.core.states import Mode
from las_jupyter.core.wire import to_json
from las_jupyter.display.comparison import ReadableComparison
from las_jupyter.display.data import as_data
from las_jupyter.display.plans import ReadablePlan
from las_jupyter.planning.compare import side, side_by_side
from las_jupyter.planning.plan import decide
from las_jupyter.stack.parsing import parse
from las_jupyter.stack.requests import start_request

HERE = {"HF_TOKEN": "SuperPw99", "REGION": "SuperPw99", "EMPTY": ""}
GIVEN = [{"HF_TOKEN": None}, {"REGION": None}, {"DB_PASS": "SuperPw99"}, {"DATABASE_URL": "postgres://u:SuperPw99@h"}]


def test_a_name_without_a_value_is_understood_on_the_line() -> None:
    command = parse(["start", "llama.cpp", "--env", "HF_TOKEN", "--env=A=1", "--env", "B="])

    assert command.values["env"] == {"HF_TOKEN": None, "A": "1", "B": ""}
    request = start_request("llama.cpp", {"env": command.values["env"]}, HERE)
    assert (request.env, request.taken) == ({"HF_TOKEN": "SuperPw99", "A": "1", "B": ""}, ("HF_TOKEN",))


@pytest.mark.parametrize("name", ["MISSING", "EMPTY", "$(id)", "a b"])
def test_a_variable_that_is_not_here_is_a_sentence(name: str) -> None:
    with pytest.raises(BadRequest) as error:
        start_request("llama.cpp", {"env": {name: None}}, HERE)

    assert "There is no value for" in error.value.message
    assert "getpass" in (error.value.remedy or "")
    assert "%env" not in (error.value.remedy or "")


@pytest.mark.parametrize("env", GIVEN)
@pytest.mark.parametrize("args", [(), ("--db", "postgres://u:SuperPw99@h"), ("--api-token=SuperPw99",)])
def test_nothing_that_is_shown_or_kept_of_a_plan_holds_the_value(
    env: dict[str, str | None], args: tuple[str, ...]
) -> None:
    request = start_request("llama.cpp", {"env": env, "args": args}, HERE)
    plan = ReadablePlan(*decide(request, a_world()))
    sides = tuple(side(request, a_world(), mode) for mode in Mode)
    compared = ReadableComparison(*side_by_side(request, "llama.cpp", sides, {}))

    for told in (
        repr(plan), plan._repr_html_(), json.dumps(as_data(plan)), repr(compared), compared._repr_html_(),
        json.dumps(as_data(compared)), to_json(plan.spec._replace(argv=())),
    ):  # fmt: skip
        assert "SuperPw99" not in told
    assert next(iter(env)) in repr(plan)
    assert plan.spec.secrets[-1].name == f"env:{next(iter(env))}"


def test_another_value_makes_no_other_fingerprint_for_a_hash_would_give_it_away() -> None:
    one, two = (
        decide(start_request("llama.cpp", {"env": {"DB_PASS": value}}), a_world()).spec for value in ("one11", "two22")
    )

    assert one.fingerprint == two.fingerprint
    assert one.memory_key == two.memory_key
    assert one.fingerprint != decide(start_request("llama.cpp", {}), a_world()).spec.fingerprint


def test_completion_of_the_option_offers_the_variables_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from las_jupyter.stack.completion import complete
    from las_jupyter.stack.dispatch import completion_values

    monkeypatch.setenv("LAS_TEST_VARIABLE", "x")
    stack, _, _ = small_stack()

    offered = complete(["start", "llama.cpp", "--env"], "LAS_TEST_V", completion_values(stack))

    assert [each.text for each in offered] == ["LAS_TEST_VARIABLE"]
