"""What root wrote for everybody holds, and what a user writes beside it only takes away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

import las_jupyter as las
from las_jupyter.core.errors import InvalidPolicy, PlanRefused
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.planning.model_choice import chooses_model, variable_chooses_model
from las_jupyter.policy import load
from las_jupyter.policy.load import parse_policies, policies_here
from las_jupyter.policy.rules import Hardware, Policy, judge_policy, layered
from las_jupyter.settings.load import load_settings

MODULES = frozenset({"http-echo", "llama.cpp", "ollama", "vllm", "sglang"})
UPSTREAM = Path(__file__).parents[2] / "data" / "localaistack" / "configs" / "policies.yaml"
MALLORY = 4711
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "etc" / "policies.yaml"
    path.parent.mkdir(mode=0o755)
    monkeypatch.setattr(load, "SITE_FILE", path)
    return path


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises((PlanRefused, InvalidPolicy)) as caught:
        las.plan(*arguments, **options)
    return str(caught.value.cause)


@as_root
@pytest.mark.parametrize("own", ["", "/dev/null", None, "empty"])
def test_no_word_of_a_user_switches_a_sites_policy_off(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None
) -> None:
    site.write_text("policies: [{name: site, deny: [http-echo]}]")
    if own == "empty":
        (tmp_path / "empty.yaml").write_text("policies: []")
        own = str(tmp_path / "empty.yaml")
    if own is not None:
        monkeypatch.setenv("LAS_JUPYTER_POLICY_FILE", own)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))

    assert "http-echo" in refused("http-echo") or own == "/dev/null"


def test_no_variable_and_no_setting_names_another_site_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAS_JUPYTER_SITE_FILE", "LAS_JUPYTER_POLICY_SITE", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, "/nowhere")

    assert str(load.SITE_FILE) == "/etc/las_jupyter/policies.yaml"


@as_root
def test_a_users_file_beside_it_only_takes_away(site: Path, tmp_path: Path) -> None:
    site.write_text("policies: [{name: site, allow: {max_gpus: 2}}]")
    own = tmp_path / "own.yaml"
    own.write_text("policies: [{name: mine, allow: {expose: true, max_gpus: 8}, deny: [vllm]}]")

    verdict = judge_policy(policies_here(own, MODULES), Hardware(), "vllm")

    assert verdict.forbidden == "policy mine denies vllm"
    assert (verdict.expose, verdict.max_gpus) == (False, 2)


LIMITS: Any = some.none() | some.integers(0, 8)
WORDS: Any = some.lists(
    some.sampled_from(["vllm", "llama.cpp", "native", "container", "expose", "tensor_parallel"]), max_size=3
)
POLICIES: Any = some.lists(
    some.builds(
        Policy,
        name=some.just("p"),
        runtimes=some.none() | WORDS.map(tuple),
        features=some.none() | WORDS.map(tuple),
        modes=some.none() | some.just(()),
        expose=some.none() | some.booleans(),
        max_parameters=LIMITS,
        max_gpus=LIMITS,
        max_memory=LIMITS,
        max_cpus=LIMITS,
        denied=WORDS.map(tuple),
    ),
    max_size=3,
).map(tuple)


@given(POLICIES.filter(bool), POLICIES)
def test_whatever_a_user_writes_nothing_more_is_allowed(site: tuple[Policy, ...], own: tuple[Policy, ...]) -> None:
    alone = judge_policy(site, Hardware(), "vllm")
    both = judge_policy(layered(site, own), Hardware(), "vllm")

    assert both.modes <= alone.modes
    assert both.expose <= alone.expose
    for bound in ("max_gpus", "max_memory", "max_cpus", "max_parameters"):
        of_site, now = getattr(alone, bound), getattr(both, bound)
        assert of_site is None or now <= of_site
    assert set(alone.reasons) <= set(both.reasons)


@as_root
@pytest.mark.parametrize("how", ["owner", "mode", "folder"])
def test_a_site_file_that_is_not_roots_alone_is_no_site_without_rules(site: Path, how: str) -> None:
    site.write_text("policies: []")
    if how == "owner":
        os.chown(site, MALLORY, MALLORY)
    else:
        (site if how == "mode" else site.parent).chmod(0o777)

    with pytest.raises(InvalidPolicy) as caught:
        policies_here(None, MODULES)

    assert (caught.value.remedy or "").startswith("sudo ch")


@as_root
def test_a_link_of_a_site_that_leads_nowhere_is_no_site_without_rules(site: Path) -> None:
    site.symlink_to("nowhere")

    with pytest.raises(InvalidPolicy):
        policies_here(None, MODULES)


def test_a_policy_file_that_others_could_change_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("policies: []")
    own.chmod(0o666)

    with pytest.raises(InvalidPolicy) as caught:
        policies_here(own, MODULES)

    assert caught.value.remedy == f"chmod go-w {own}"


@as_root
def test_the_settings_tell_of_a_site_file(site: Path) -> None:
    site.write_text("policies: []")

    # The house has read the name of the real one by now.
    from las_jupyter.stack import house

    shown = house.SITE_FILE
    house.SITE_FILE = site  # type: ignore[misc]
    try:
        assert f"{site} holds for everybody" in str(las.config())
    finally:
        house.SITE_FILE = shown  # type: ignore[misc]


# ---- words


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("deny: [htp-echo]", "http-echo"),
        ("deny: [contaner]", "container"),
        ("allow: {runtimes: [olama]}", "ollama"),
        ("allow: {features: [tensor_paralel]}", "tensor_parallel"),
    ],
)
def test_a_word_that_nothing_is_called_is_an_error_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_policies(f"policies:\n  - name: p\n    {text}\n".encode(), "p.yaml", MODULES)

    assert f"did you mean {near}?" in (caught.value.cause or "")
    assert "line 3" in (caught.value.cause or "")


def test_letter_case_and_blanks_around_a_word_do_not_matter() -> None:
    (policy,) = parse_policies(b"policies: [{name: p, deny: [Http-Echo, ' VLLM ', Native]}]", "p.yaml", MODULES)

    assert policy.denied == ("http-echo", "vllm", "native")


def test_what_is_not_here_is_named_as_what_it_is() -> None:
    text = b"policies: [{name: p, deny: ['module:tgi', 'feature:fast'], allow: {runtimes: ['module:mine']}}]"

    (policy,) = parse_policies(text, "p.yaml", MODULES)

    assert (policy.denied, policy.runtimes) == (("tgi", "fast"), ("mine",))


def test_upstreams_file_has_no_unknown_word() -> None:
    names = frozenset(entry.manifest.name for entry in load_catalog(load_settings()).entries)

    assert len(load.load_policies(UPSTREAM, names)) == 3


# ---- names that pose


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policies.yaml"
    monkeypatch.setenv("LAS_JUPYTER_POLICY_FILE", str(path))
    return path


@pytest.mark.parametrize("name", ["mine", "llama.cpp", "ollama"])
@pytest.mark.parametrize("category", ["service", "tool", "runtime"])
def test_a_copy_under_another_name_or_category_is_a_runtime_that_is_not_on_the_list(
    policy: Path, tmp_path: Path, name: str, category: str
) -> None:
    policy.write_text("policies: [{name: p, allow: {runtimes: [llama.cpp, ollama]}}]")
    copy = tmp_path / "copy.yaml"
    copy.write_text(
        f'name: {name}\nversion: "1"\ncategory: {category}\nruntime: {{modes: [native]}}\n'
        "launch: {native: {argv: [sleep, '9']}}\n"
    )
    las.trust(str(copy))

    assert "allows these runtimes only" in refused(str(copy))


def test_a_manifest_of_ones_own_runs_where_its_name_is_on_the_list(policy: Path, tmp_path: Path) -> None:
    policy.write_text("policies: [{name: p, allow: {runtimes: ['module:mine']}}]")
    (tmp_path / "mine.yaml").write_text(
        'name: mine\nversion: "1"\nruntime: {modes: [native]}\nlaunch: {native: {argv: [sleep, "9"]}}\n'
    )
    las.trust(str(tmp_path / "mine.yaml"))

    assert las.plan(str(tmp_path / "mine.yaml")).spec.module == "mine"


# ---- models behind the two dashes


@pytest.mark.parametrize(
    "words",
    [
        ["-dr", "ai/qwen"], ["--docker-repo=ai/qwen"], ["--gpt-oss-20b-default"], ["--fim-qwen-14b-spec"],
        ["-hf", "a/b"],
        ["--hf_repo", "a/b"], ["-hfr", "a/b"], ["--model-url=x"], ["--mod", "x"], ["--MODEL", "x"], ["-mu", "x"],
        ["--models-preset", "x"], ["--verbose --model x"], ["--config", "c.yaml"], ["--speculative-config", "{}"],
    ],
)  # fmt: skip
def test_where_the_size_is_bounded_no_argument_chooses_another_model(policy: Path, words: list[str]) -> None:
    policy.write_text("policies: [{name: small, allow: {max_model_size: 1B}}]")

    assert any(chooses_model(word) for each in words for word in each.split())
    with pytest.raises(Exception) as caught:
        las.plan("llama.cpp", model="smollm2-135m", args=words)
    assert type(caught.value).__name__ in ("PlanRefused", "BadRequest", "UnknownOption")


@pytest.mark.parametrize(
    "name", ["LLAMA_ARG_HF_REPO", "LLAMA_ARG_MODEL", "LLAMA_ARG_MODEL_URL", "LLAMA_ARG_DOCKER_REPO",
             "LLAMA_ARG_MODELS_PRESET", "VLLM_MODEL_REDIRECT_PATH", "VLLM_USE_MODELSCOPE", "llama_arg_hf_repo"],
)  # fmt: skip
def test_where_the_size_is_bounded_no_variable_chooses_another_model(policy: Path, name: str) -> None:
    policy.write_text("policies: [{name: small, allow: {max_model_size: 1B}}]")

    assert "it can choose another model" in refused("llama.cpp", model="smollm2-135m", env={name: "a/b"})


@pytest.mark.parametrize(
    "word", ["--ctx-size", "-c", "-ngl", "--threads", "--max-model-len", "--hf-token", "--temp", "--parallel", "-np",
             "--mlock", "--no-mmap", "--jinja", "--flash-attn", "-fa", "--dtype", "--max-num-seqs", "-t",
             "--gpu-memory-utilization"],
)  # fmt: skip
def test_what_only_tunes_is_not_taken_for_a_choice(word: str) -> None:
    assert not chooses_model(word)


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "HF_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PATH", "HTTP_PROXY_URL"]
)
def test_variables_that_choose_nothing_are_free(name: str) -> None:
    assert not variable_chooses_model(name)


def test_without_a_bound_every_argument_is_free_as_before(policy: Path) -> None:
    policy.write_text("policies: [{name: small, allow: {max_gpus: 1}}]")

    las.plan("llama.cpp", model="smollm2-135m", env={"LLAMA_ARG_HF_FILE": "x"})
