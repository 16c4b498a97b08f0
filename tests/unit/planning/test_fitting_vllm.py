"""An engine that claims its memory at the start claims what is free, and its context is made to fit the claim."""

from __future__ import annotations

import pytest
from worlds import DOCKER, GIB, NATIVE, a_world, an_entry

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Engine, Machine, ModelFile, World
from las_jupyter.resources.model_config import Attention
from las_jupyter.resources.safetensors_info import SafetensorsFacts

# 15.0 GiB of weights and 128 KiB of cache a token.
EIGHT_B = SafetensorsFacts({"BF16": 15 * GIB}, 8 * 10**9, 4, Attention(
    context=131072, layers=32, hidden=4096, inner=14336, vocabulary=128256, heads=32, heads_kv=(8,) * 32, head_dim=128,
))  # fmt: skip
HALF_B = EIGHT_B._replace(bytes_by_type={"BF16": GIB})


def vllm(machine: Machine, facts: SafetensorsFacts | None = EIGHT_B) -> World:
    return a_world(
        entry=an_entry("vllm"), engine=Engine(("/opt/vllm",), "0.33", "on PATH"), backends=(NATIVE, DOCKER),
        model=ModelFile("m", "/models/m", "m", tensors=facts), ports={8000: None}, machine=machine,
    )  # fmt: skip


def gpus(*free: float, total: int = 24) -> Machine:
    memory = {str(at): (int(each * GIB), total * GIB) for at, each in enumerate(free)}
    return Machine(8.0, 64 * GIB, 50 * GIB, tuple(memory), "nvidia", memory)


def cpu(total: int, free: int) -> Machine:
    return Machine(8.0, total * GIB, free * GIB)


def plan(world: World, *args: str, **changes: object) -> StartPlan:
    ids = ("all",) if world.machine.gpu_ids else None
    return decide(StartRequest("vllm", gpus=ids, args=args)._replace(**changes), world)  # type: ignore[arg-type]


def told(found: StartPlan, subject: str) -> Decision:
    return next(each for each in found.decisions if each.subject == subject)


def value(found: StartPlan, option: str) -> str | None:
    argv = found.spec.argv
    return argv[argv.index(option) + 1] if option in argv else None


@pytest.mark.parametrize("mode", list(Mode))
def test_it_claims_the_share_of_the_gpu_that_is_free_and_shows_the_numbers(mode):
    found = plan(vllm(gpus(13), None), mode=mode)

    assert value(found, "--gpu-memory-utilization") == "0.50"
    assert told(found, "share of GPU memory").reason.startswith("13.0 GiB of 24.0 GiB are free")


def test_a_share_that_the_user_set_is_the_only_one():
    argv = plan(vllm(gpus(13), None), "--gpu-memory-utilization=0.3").spec.argv

    assert [word for word in argv if "utilization" in word] == ["--gpu-memory-utilization=0.3"]


def test_the_context_is_the_largest_that_the_claim_holds_besides_the_weights():
    found = plan(vllm(gpus(24)))

    context = told(found, "context")
    assert 16384 < int(context.choice) < 49152 and int(context.choice) % 16 == 0
    assert "131072 would need" in context.reason
    assert value(found, "--max-model-len") == context.choice
    assert told(found, "fit").choice == "fits"


def test_a_context_that_was_set_is_judged_against_the_claim():
    assert told(plan(vllm(gpus(24)), "--max-model-len", "16384"), "fit").choice == "fits"
    too_long = plan(vllm(gpus(24)), "--max-model-len", "49152")

    assert told(too_long, "fit").choice == "will not fit"
    assert "6.0 GiB cache" in too_long.warnings[0]


def test_more_than_the_gpu_has_is_refused_with_the_context_that_fits():
    with pytest.raises(PlanRefused, match="will not fit on the GPU") as refused:
        plan(vllm(gpus(24)), "--max-model-len", "131072")

    assert "a GPU has 24.0 GiB" in (refused.value.cause or "")
    assert "-- --max-model-len " in (refused.value.remedy or "")


def test_two_gpus_hold_half_of_the_model_each():
    assert value(plan(vllm(gpus(16, 16, total=16))), "--max-model-len") is not None
    assert value(plan(vllm(gpus(16, 16, total=16)), "--kv-cache-dtype", "fp8"), "--max-model-len") is None


def test_graphs_that_are_not_captured_need_nothing():
    with_graphs, without = plan(vllm(gpus(24))), plan(vllm(gpus(24)), "--enforce-eager")

    assert int(value(with_graphs, "--max-model-len") or 0) < int(value(without, "--max-model-len") or 0)


def test_on_a_processor_the_cache_is_told_and_not_left_to_a_share_of_the_machine():
    found = plan(vllm(cpu(64, 50), HALF_B), "--max-model-len", "8192")

    assert found.spec.env["VLLM_CPU_KVCACHE_SPACE"] == "4"
    assert "one request of 8192 tokens takes 1.0 GiB" in told(found, "KV cache").reason
    assert found.spec.memory_promised is not None and 6 * GIB < found.spec.memory_promised < 8 * GIB


def test_on_a_small_machine_the_context_and_the_cache_are_made_to_fit():
    found = plan(vllm(cpu(8, 6), HALF_B))

    assert 2048 <= int(told(found, "context").choice) <= 16384
    assert told(found, "fit").choice == "fits"
    assert found.spec.env["VLLM_CPU_KVCACHE_SPACE"] in ("1", "2")


def test_a_cache_that_the_user_set_is_taken_and_judged():
    found = plan(vllm(cpu(64, 50), HALF_B), "--max-model-len", "16384", env={"VLLM_CPU_KVCACHE_SPACE": "1"})

    assert found.spec.env["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert "holds no request of 16384 tokens, which takes 2.0 GiB: -- --max-model-len 8192" in found.warnings[-1]


def test_weights_larger_than_the_machine_are_refused():
    with pytest.raises(PlanRefused, match="will not fit into memory"):
        plan(vllm(cpu(8, 6)))


def test_the_same_server_is_meant_when_less_is_free():
    one, two = plan(vllm(cpu(64, 50), HALF_B)), plan(vllm(cpu(64, 8), HALF_B))

    assert one.spec.env != two.spec.env and one.spec.fingerprint == two.spec.fingerprint


def test_without_a_header_nothing_is_said():
    found = plan(vllm(cpu(8, 6), None))

    assert "VLLM_CPU_KVCACHE_SPACE" not in found.spec.env
    assert not [each for each in found.decisions if each.subject == "fit"]
