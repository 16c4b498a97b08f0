from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.states import Mode
from las_jupyter.policy.load import load_policies
from las_jupyter.policy.rules import (
    EXPOSE,
    Conditions,
    Hardware,
    Policy,
    PolicyVerdict,
    applies,
    format_parameters,
    judge_policy,
)

UPSTREAM = Path(__file__).parents[2] / "data" / "localaistack" / "configs" / "policies.yaml"
GIB = 2**30
LAPTOP = Hardware(cpu_cores=8, ram=32 * GIB, gpu_vram=0, gpu_count=0, nvlink=False)
ONE_GPU = Hardware(cpu_cores=16, ram=64 * GIB, gpu_vram=34_190_000_000, gpu_count=1, nvlink=False)
TWO_GPUS = Hardware(cpu_cores=64, ram=512 * GIB, gpu_vram=85_520_000_000, gpu_count=2, nvlink=True)
UNKNOWN = Hardware()


def judge(hardware: Hardware, module: str = "vllm", category: str = "runtime", *more: Policy) -> PolicyVerdict:
    return judge_policy([*load_policies(UPSTREAM), *more], hardware, module, category)


@pytest.mark.parametrize(
    ("hardware", "applied"),
    [(LAPTOP, ("tier1-entry",)), (ONE_GPU, ("tier2-midrange",)), (TWO_GPUS, ("tier2-midrange", "tier3-highend"))],
)
def test_an_upstream_policy_applies_to_the_machines_it_means(hardware: Hardware, applied: tuple[str, ...]):
    assert judge(hardware).applied == applied


def test_a_card_sold_as_16_gb_is_within_16_gb():
    card = LAPTOP._replace(gpu_vram=16_376 * 2**20, gpu_count=1)

    assert judge(card).applied == ("tier1-entry",)


def test_a_denied_module_may_run_in_no_mode_and_the_policy_is_named():
    verdict = judge(LAPTOP)

    assert verdict.modes == frozenset()
    assert verdict.forbidden == "policy tier1-entry denies vllm"


def test_a_runtime_that_is_not_on_the_list_is_forbidden():
    verdict = judge(LAPTOP, "text-embeddings-inference")

    assert verdict.forbidden == "policy tier1-entry allows these runtimes only: ollama, llama.cpp"


def test_the_list_of_runtimes_says_nothing_of_other_modules():
    assert judge(LAPTOP, "qdrant", "service").forbidden is None


def test_one_server_over_several_gpus_is_a_feature_that_can_be_denied_or_left_out():
    denying = Policy("strict", denied=("tensor_parallel",))
    listing = Policy("listing", features=("multi_gpu_training",))

    assert (
        judge(TWO_GPUS, "vllm", "runtime", denying).reasons["tensor_parallel"] == "policy strict denies tensor_parallel"
    )
    assert judge(LAPTOP, "ollama", "runtime", listing).reasons["tensor_parallel"] == (
        "policy listing allows these features only: multi_gpu_training"
    )
    assert "tensor_parallel" not in judge(TWO_GPUS).reasons


@pytest.mark.parametrize(
    ("count", "said"), [(14e9, "14B"), (134_515_008, "135M"), (14_768_307_200, "14.8B"), (1.5e12, "1.5T"), (12, "12")]
)
def test_parameters_are_told_as_people_say_them(count, said):
    assert format_parameters(count) == f"{said} parameters"


def test_the_most_restrictive_policy_wins_and_deny_is_over_allow():
    verdict = judge(TWO_GPUS, "sglang")

    assert verdict.forbidden == "policy tier2-midrange denies sglang"
    assert verdict.max_parameters == 30e9


def test_without_a_policy_all_but_exposure_is_allowed():
    verdict = judge_policy((), LAPTOP, "vllm")

    assert verdict.modes == frozenset(Mode)
    assert not verdict.expose
    assert verdict.reasons == {EXPOSE: "no policy allows network exposure"}


def test_a_mode_can_be_forbidden_by_itself():
    verdict = judge(ONE_GPU, "vllm", "runtime", Policy("site", modes=(Mode.CONTAINER,)))

    assert verdict.modes == {Mode.CONTAINER}
    assert verdict.reasons[Mode.NATIVE] == "policy site allows these modes only: container"


def test_the_lowest_ceiling_counts_and_its_policy_is_named():
    verdict = judge_policy([Policy("a", max_gpus=2), Policy("b", max_gpus=1), Policy("c")], TWO_GPUS, "vllm")

    assert verdict.max_gpus == 1
    assert verdict.reasons["gpus"] == "policy b allows at most 1"


def test_exposure_needs_a_policy_that_grants_it_and_none_that_denies_it():
    grant, deny = Policy("open", expose=True), Policy("closed", denied=(EXPOSE,))

    assert judge_policy([grant], LAPTOP, "vllm").expose
    assert not judge_policy([grant, deny], LAPTOP, "vllm").expose
    assert not judge_policy([grant, Policy("closed", expose=False)], LAPTOP, "vllm").expose


def test_what_nobody_can_tell_restricts_but_exposes_nothing():
    small = Policy("small", conditions=Conditions(ram_max=1), expose=True, max_gpus=0)

    verdict = judge_policy([small], UNKNOWN, "vllm")

    assert verdict.max_gpus == 0
    assert not verdict.expose


BYTES = st.integers(0, 10**12)
HARDWARE = st.builds(
    Hardware, st.none() | st.integers(1, 256), st.none() | BYTES, st.none() | BYTES, st.none() | st.integers(0, 8),
    st.none() | st.booleans(),
)  # fmt: skip
POLICIES = st.builds(
    Policy,
    name=st.sampled_from("abcd"),
    conditions=st.builds(Conditions, ram_min=st.none() | BYTES, gpu_vram_max=st.none() | BYTES,
                         gpu_count_min=st.none() | st.integers(0, 8), nvlink=st.none() | st.booleans()),
    runtimes=st.none() | st.tuples(st.sampled_from(["vllm", "ollama"])),
    modes=st.none() | st.lists(st.sampled_from(list(Mode))).map(tuple),
    expose=st.none() | st.booleans(),
    max_gpus=st.none() | st.integers(0, 8),
    max_memory=st.none() | BYTES,
    denied=st.lists(st.sampled_from(["vllm", "native", "container", "expose", "x"])).map(tuple),
)  # fmt: skip


@given(st.lists(POLICIES, max_size=4), POLICIES, HARDWARE)
def test_one_more_policy_never_allows_more_but_for_granting_exposure(old: list[Policy], new: Policy, hw: Hardware):
    before, after = judge_policy(old, hw, "vllm"), judge_policy([*old, new], hw, "vllm")

    assert after.modes <= before.modes
    for ceiling in ("max_gpus", "max_memory"):
        was, now = getattr(before, ceiling), getattr(after, ceiling)
        assert was is None or (now is not None and now <= was)
    if after.expose and not before.expose:
        assert new.expose and applies(new, hw)


@given(st.lists(POLICIES, max_size=5), HARDWARE)
def test_the_order_of_policies_decides_nothing(policies: list[Policy], hw: Hardware):
    one, other = judge_policy(policies, hw, "vllm"), judge_policy(list(reversed(policies)), hw, "vllm")

    assert (one.modes, one.max_gpus, one.max_memory, one.expose) == (
        other.modes, other.max_gpus, other.max_memory, other.expose
    )  # fmt: skip


@given(st.lists(POLICIES, max_size=5), HARDWARE)
def test_everything_that_is_restricted_has_a_reason(policies: list[Policy], hw: Hardware):
    verdict = judge_policy(policies, hw, "vllm")

    for mode in Mode:
        assert mode in verdict.modes or verdict.reasons.get(mode) or verdict.forbidden
    assert EXPOSE in verdict.reasons
