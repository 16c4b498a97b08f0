"""A model that cannot fit is refused with the numbers, and a context that nobody set is made to fit."""

from __future__ import annotations

import dataclasses

import pytest
from worlds import GIB, MODEL, a_world

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision, LaunchSpec
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Machine, ModelFile, World
from las_jupyter.resources.gguf_info import GgufFacts
from las_jupyter.resources.measured import Measured

MIB = 2**20
# 5.0 GiB of weights and 128 KiB of cache a token: 16 GiB for its own 131,072 tokens.
EIGHT_B = GgufFacts(
    architecture="llama", context=131072, layers=32, embedding=4096, heads=32, heads_kv=(8,) * 32, key_length=128,
    value_length=128, vocabulary=128256, layer_bytes=(140 * MIB,) * 32, other_bytes=360 * MIB,
    embedding_bytes=280 * MIB,
)  # fmt: skip


def asked(*args: str, **changes: object) -> StartRequest:
    return StartRequest("llama.cpp", args=args)._replace(**changes)  # type: ignore[arg-type]


def with_memory(total: int, free: int, facts: GgufFacts = EIGHT_B, **changes: object) -> World:
    machine = Machine(8.0, total * GIB, free * GIB)
    return a_world(machine=machine, model=ModelFile("m", "/models/m.gguf", "m", facts=facts), **changes)


def told(plan: StartPlan, subject: str) -> Decision | None:
    return next((each for each in plan.decisions if each.subject == subject), None)


def test_a_model_that_fits_keeps_its_own_context_and_the_plan_shows_the_numbers():
    plan = decide(asked(), with_memory(64, 60))

    fits = told(plan, "fit")
    assert fits is not None and fits.choice == "fits"
    assert "5.0 GiB weights, 16.0 GiB cache" in fits.reason
    assert "--ctx-size" not in plan.spec.argv
    assert plan.warnings == ()


def test_a_context_that_nobody_set_is_made_to_fit_and_the_plan_says_why():
    plan = decide(asked(), with_memory(16, 12))

    smaller = told(plan, "context")
    assert smaller is not None and 4096 <= int(smaller.choice) < 131072
    assert "131072 would need" in smaller.reason
    assert plan.spec.argv[plan.spec.argv.index("--ctx-size") + 1] == smaller.choice


@pytest.mark.parametrize("args", [("--ctx-size", "65536"), ("--ctx-size=65536",), ("-c", "65536")], ids=" ".join)
def test_a_context_that_was_set_is_never_changed_but_refused_with_the_one_that_fits(args):
    with pytest.raises(PlanRefused, match="will not fit into memory") as refused:
        decide(asked(*args), with_memory(12, 10))

    assert "65536 tokens" in (refused.value.cause or "")
    assert "-- --ctx-size " in (refused.value.remedy or "")


def test_a_context_in_the_environment_counts_as_set():
    with pytest.raises(PlanRefused):
        decide(asked(env={"LLAMA_ARG_CTX_SIZE": "65536"}), with_memory(12, 10))


def test_a_model_that_is_larger_than_the_machine_is_refused():
    with pytest.raises(PlanRefused, match="will not fit") as refused:
        decide(asked(), with_memory(4, 3))

    assert "this machine has 4.0 GiB" in (refused.value.cause or "")
    assert "--ctx-size" not in (refused.value.remedy or "")


def test_whoever_insists_gets_it_and_that_is_recorded():
    plan = decide(asked(overcommit=True), with_memory(4, 3))

    fits = told(plan, "fit")
    assert fits is not None and "overcommitted as you said" in fits.reason
    assert plan.warnings


def test_what_is_only_not_free_at_the_moment_is_a_warning():
    plan = decide(asked("-c", "8192"), with_memory(32, 4))

    assert "does not fit into what is free now" in plan.warnings[0]


def test_the_limit_that_was_asked_for_is_what_it_must_fit_into():
    with pytest.raises(PlanRefused) as refused:
        decide(asked(memory=4 * GIB), with_memory(64, 60))

    assert "the limit is 4.0 GiB" in (refused.value.cause or "")


def running(promised: int) -> tuple[Snapshot, LaunchSpec]:
    snapshot = Snapshot("other", "x", Mode.NATIVE, "native", ProcessState.RUNNING, "ready")
    return snapshot, LaunchSpec("other", "x", Mode.NATIVE, "native", ("x",), memory_promised=promised)


def test_what_running_instances_will_need_is_not_there_for_the_next_one():
    first = decide(asked("-c", "8192"), with_memory(16, 14)).spec
    assert first.memory_promised is not None and first.memory_promised > 6 * GIB

    with pytest.raises(PlanRefused) as refused:
        decide(asked("-c", "8192"), with_memory(16, 14, running=(running(12 * GIB),)))
    assert "12.0 GiB of it are promised" in (refused.value.cause or "")


def test_asking_again_means_the_same_server_when_less_memory_is_free_by_then():
    first = decide(asked(), with_memory(16, 12)).spec
    again = decide(asked(), with_memory(16, 10)).spec

    assert first.argv != again.argv
    assert first.fingerprint == again.fingerprint


def test_a_model_whose_header_is_not_known_is_started_without_a_verdict():
    assert told(decide(asked(), a_world(model=MODEL)), "fit") is None


def test_one_part_of_many_gives_no_verdict():
    assert told(decide(asked(), with_memory(4, 3, EIGHT_B._replace(parts=2))), "fit") is None


def with_gpu(free: int, **changes: object) -> World:
    machine = Machine(8.0, 32 * GIB, 20 * GIB, ("0",), "nvidia", {"0": (free * GIB, 24 * GIB)})
    usual: dict[str, object] = {"machine": machine, "model": ModelFile("m", "/models/m.gguf", "m", facts=EIGHT_B)}
    return a_world(**{**usual, **changes})


def on_gpu(free: int, *args: str) -> StartPlan:
    return decide(asked(*args, gpus=("0",)), with_gpu(free))


def test_a_model_that_is_whole_on_the_gpu_is_given_no_number_of_layers():
    plan = on_gpu(23, "-c", "8192")

    fits = told(plan, "fit")
    assert fits is not None and fits.choice == "fits" and "all 32 layers need" in fits.reason
    assert "--n-gpu-layers" not in plan.spec.argv


def test_on_a_gpu_the_context_gives_way_before_the_layers():
    plan = on_gpu(15)

    smaller = told(plan, "context")
    assert smaller is not None and 4096 < int(smaller.choice) < 131072
    assert "on the GPU; 15.0 GiB are free" in smaller.reason
    assert plan.spec.argv[plan.spec.argv.index("--ctx-size") + 1] == smaller.choice
    assert "--n-gpu-layers" not in plan.spec.argv


@pytest.mark.parametrize("args", [(), ("-c", "8192")], ids=["own context", "a context that was set"])
def test_of_a_model_larger_than_the_gpu_the_layers_that_fit_go_there(args):
    plan = on_gpu(5, *args)

    layers = told(plan, "GPU layers")
    assert layers is not None and 0 < int(layers.choice) < 32
    assert "of 32 layers fit on the GPU" in layers.reason
    assert plan.spec.argv[plan.spec.argv.index("--n-gpu-layers") + 1] == layers.choice


@pytest.mark.parametrize("word", ["31", "99", "all"])
def test_layers_that_were_set_are_only_judged(word):
    plan = on_gpu(5, "-c", "8192", "-ngl", word)

    fits = told(plan, "fit")
    assert fits is not None and ", enough for " in fits.reason
    assert "does not fit on the GPU as you asked" in plan.warnings[0]
    assert "--n-gpu-layers" not in plan.spec.argv and plan.spec.argv[-2:] == ("-ngl", word)


def after_a_start(world: World, memory: int, *args: str) -> World:
    key = decide(asked(*args, overcommit=True), world).spec.memory_key
    assert key
    return dataclasses.replace(world, measured={key: Measured(memory, 1.7e9)})


def test_what_was_measured_goes_before_the_estimate_and_both_are_shown():
    plan = decide(asked("-c", "8192"), after_a_start(with_memory(64, 60), 5 * GIB, "-c", "8192"))

    fits = told(plan, "fit")
    assert fits is not None
    assert fits.reason.startswith("5.0 GiB, measured on 2023-11-1")
    assert "the estimate said 6." in fits.reason and " %)" in fits.reason
    assert plan.spec.memory_promised == 5 * GIB + 1024 * MIB  # and the prompts it may keep


def test_a_start_that_an_estimate_would_refuse_is_made_when_it_was_measured_to_fit():
    with pytest.raises(PlanRefused):
        decide(asked("-c", "65536"), with_memory(12, 11))

    plan = decide(asked("-c", "65536"), after_a_start(with_memory(12, 11), 9 * GIB, "-c", "65536"))
    fits = told(plan, "fit")
    assert fits is not None and fits.choice == "fits"


def test_a_context_of_its_own_that_was_measured_to_fit_is_not_made_smaller():
    world = with_memory(64, 60)
    measured = after_a_start(world, 14 * GIB).measured

    plan = decide(asked(), dataclasses.replace(with_memory(20, 18), measured=measured))
    assert told(plan, "context") is None


@pytest.mark.parametrize(
    ("args", "changes"),
    [(("-c", "4096"), {}), (("-c", "8192", "-ctk", "q8_0"), {}), (("-c", "8192"), {"memory": 20 * GIB})],
    ids=["another context", "another argument", "a limit"],
)
def test_a_measurement_holds_for_the_same_server_only(args, changes):
    world = after_a_start(with_memory(64, 60), 5 * GIB, "-c", "8192")

    fits = told(decide(asked(*args, **changes), world), "fit")
    assert fits is not None and "measured" not in fits.reason


def test_a_measurement_holds_for_another_port_and_another_name():
    world = after_a_start(with_memory(64, 60), 5 * GIB, "-c", "8192")

    fits = told(
        decide(asked("-c", "8192", port=9000, name="other"), dataclasses.replace(world, ports={9000: None})), "fit"
    )
    assert fits is not None and "measured" in fits.reason


@pytest.mark.parametrize(
    ("free", "args", "kept"),
    [(60, ("-c", "4096"), "512"), (60, ("-c", "256"), "256"), (60, (), "1024"), (6, ("-c", "4096"), "0")],
    ids=["one context", "a little at least", "a gibibyte at most", "none where there is no room"],
)
def test_prompts_are_kept_in_a_part_of_what_is_left_and_not_in_the_engines_own_8_gib(free, args, kept):
    plan = decide(asked(*args), with_memory(64, free))

    said = told(plan, "kept prompts")
    assert said is not None and said.choice == f"{kept} MiB"
    assert plan.spec.env["LLAMA_ARG_CACHE_RAM"] == kept


def test_the_prompts_that_may_be_kept_are_promised():
    ours = decide(asked("-c", "4096"), with_memory(64, 60)).spec.memory_promised or 0
    none = decide(asked("-c", "4096", "--cache-ram", "0"), with_memory(64, 60)).spec.memory_promised or 0
    many = decide(asked("-c", "4096", env={"LLAMA_ARG_CACHE_RAM": "2048"}), with_memory(64, 60)).spec

    assert ours - none == 512 * MIB
    assert (many.memory_promised or 0) - none == 2048 * MIB and many.env["LLAMA_ARG_CACHE_RAM"] == "2048"
    assert told(decide(asked("--cache-ram", "0"), with_memory(64, 60)), "kept prompts") is None
