from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidPolicy
from las_jupyter.core.states import Mode
from las_jupyter.policy.load import load_policies, parse_policies
from las_jupyter.policy.rules import Hardware, judge_policy

UPSTREAM = Path(__file__).parents[2] / "data" / "localaistack" / "configs" / "policies.yaml"


def test_the_upstream_file_loads_as_it_is():
    tiers = load_policies(UPSTREAM)

    assert [tier.name for tier in tiers] == ["tier1-entry", "tier2-midrange", "tier3-highend"]
    assert tiers[0].denied == ("multi_gpu_training", "vllm", "sglang")
    assert tiers[0].max_parameters == 14e9
    assert tiers[2].max_parameters is None
    assert tiers[2].features == ("multi_gpu_training", "tensor_parallel")
    assert tiers[2].conditions.nvlink is True


def test_our_own_words_beside_upstreams():
    text = (
        "policies: [{name: a, allow: {modes: [container], expose: true, max_gpus: 1, max_memory: 8GiB, max_cpus: 2}}]"
    )

    (policy,) = parse_policies(text.encode(), "p.yaml")

    assert (policy.modes, policy.expose, policy.max_gpus) == ((Mode.CONTAINER,), True, 1)
    assert (policy.max_memory, policy.max_cpus) == (8 * 2**30, 2.0)


def test_without_a_file_there_is_no_policy():
    assert load_policies(None) == ()


def test_every_mistake_is_named_with_its_line():
    text = (
        "policies:\n"
        "  - name: a\n"
        "    conditons: {}\n"
        "  - name: b\n"
        "    allow: {modes: [natve], max_model_size: big}\n"
        "    deny: vllm\n"
    )

    with pytest.raises(InvalidPolicy) as caught:
        parse_policies(text.encode(), "p.yaml")
    lines = "\n".join(caught.value.lines())

    assert "line 3, policies[0].conditons: there is no such key; did you mean conditions?" in lines
    assert "line 5, policies[1].allow.modes[0]: 'natve' is not one of native, container; did you mean native?" in lines
    assert "line 5, policies[1].allow.max_model_size: 'big' is no size of a model" in lines
    assert "line 6, policies[1].deny: 'vllm' is not a list" in lines


def test_rules_that_cannot_be_read_are_not_no_rules(tmp_path: Path):
    with pytest.raises(InvalidPolicy) as caught:
        load_policies(tmp_path / "nowhere.yaml")

    assert caught.value.cause == "No such file or directory"
    assert "policy_file" in str(caught.value.remedy)


TEXTS = ["16GB", "14B", "unlimited", "native", "vllm", "1e400B", "nanB", "-1GB"]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.sampled_from(TEXTS)
)  # fmt: skip
WORDS = st.sampled_from(
    ["policies", "name", "conditions", "allow", "deny", "ram_max", "gpu_vram_min", "max_model_size"]
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=20
)


def judges_or_says_why(text: bytes) -> None:
    try:
        policies = parse_policies(text, "p.yaml")
    except InvalidPolicy as error:
        assert error.cause
        assert "\n" not in error.message
    else:
        judge_policy(policies, Hardware(ram=1), "vllm")


@given(ANYTHING)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_data_is_a_policy_or_a_sentence(content: object):
    judges_or_says_why(yaml.safe_dump(content).encode())
    judges_or_says_why(yaml.safe_dump({"policies": [{"name": "a", "allow": content, "conditions": content}]}).encode())


@given(st.binary(max_size=100))
def test_any_bytes_are_a_policy_or_a_sentence(data: bytes):
    judges_or_says_why(data)
