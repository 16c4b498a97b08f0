"""What a policy says of the size of a model, of several GPUs and of what a user insists on."""

from __future__ import annotations

import dataclasses

import pytest
from worlds import GIB, MODEL, a_world, an_entry

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Machine
from las_jupyter.policy.rules import PolicyVerdict

FOURTEEN = PolicyVerdict(max_parameters=14e9, reasons={"model": "policy tier1 allows at most 14B parameters"})


def plan(parameters: int | None, **changes: object) -> StartPlan:
    model = dataclasses.replace(MODEL, parameters=parameters, **changes)  # type: ignore[arg-type]
    return decide(StartRequest("llama.cpp"), a_world(policy=FOURTEEN, model=model))


def test_a_model_within_the_bound_is_told_with_the_numbers():
    found = next(each for each in plan(134_515_008).decisions if each.subject == "model size")

    assert found.reason == "it has 135M parameters, and policy tier1 allows at most 14B parameters"


def test_a_larger_one_is_refused_with_the_numbers():
    with pytest.raises(PlanRefused) as caught:
        plan(32_762_123_264)

    assert caught.value.message == "smollm2-135m is larger than is allowed."
    assert caught.value.cause == "it has 32.8B parameters, and policy tier1 allows at most 14B parameters"


def test_a_model_sold_as_14b_is_within_14b():
    plan(14_768_307_200)
    with pytest.raises(PlanRefused):
        plan(15_500_000_000)


def test_what_is_here_and_does_not_tell_is_refused():
    with pytest.raises(PlanRefused, match="may not be served"):
        plan(None)


def test_what_is_not_here_yet_is_measured_later():
    assert "measured once it is fetched" in " ".join(plan(None, download="download it").warnings)


def test_a_module_that_loads_models_by_itself_is_warned_about():
    world = a_world(policy=FOURTEEN, model=None, entry=an_entry("ollama"), ports={11434: None})

    assert "cannot be checked" in " ".join(decide(StartRequest("ollama"), world).warnings)


def test_a_database_has_no_size_of_a_model():
    world = a_world(policy=FOURTEEN, model=None, entry=an_entry("redis"), ports={6379: None})

    assert decide(StartRequest("redis"), world).warnings == ()


def test_without_a_policy_nothing_is_said_of_parameters():
    found = decide(StartRequest("llama.cpp"), a_world())

    assert "parameters" not in str(found.decisions) + str(found.warnings)


def test_several_gpus_for_one_server_may_be_denied():
    world = a_world(
        machine=Machine(8.0, 32 * GIB, 20 * GIB, ("0", "1"), "nvidia"),
        policy=PolicyVerdict(reasons={"tensor_parallel": "policy one denies tensor_parallel"}),
    )

    assert decide(StartRequest("llama.cpp", gpus=("0",)), world).spec.gpus.ids == ("0",)
    with pytest.raises(PlanRefused, match="several GPUs") as caught:
        decide(StartRequest("llama.cpp", gpus=("all",)), world)
    assert (caught.value.cause, caught.value.remedy) == ("policy one denies tensor_parallel", "--gpus 0")


def test_what_the_user_insists_on_is_marked():
    request = StartRequest("llama.cpp", memory=40 * GIB, overcommit=True)
    found = {each.subject: each.override for each in decide(request, a_world()).decisions}

    assert found["memory"]
    assert not any(found[subject] for subject in found if subject != "memory")


def test_a_limit_that_fits_is_no_override_though_it_was_allowed_to_be_one():
    request = StartRequest("llama.cpp", memory=4 * GIB, overcommit=True)

    assert not any(each.override for each in decide(request, a_world()).decisions)
