"""What a plan takes from the manifest, the policies and the user beyond the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import DOCKER, GIB, NATIVE, a_world, an_entry, an_entry_of

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.display.plans import plan_text
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Engine, Machine
from las_jupyter.policy.rules import Hardware, Policy, judge_policy

TWO_GPUS = Machine(8.0, 32 * GIB, 20 * GIB, ("0", "1"), "nvidia")


def under(*policies: Policy, module: str = "llama.cpp") -> dict[str, object]:
    return {"policy": judge_policy(policies, Hardware(), module)}


def redis(**changes: object):
    engine = Engine(("/usr/bin/redis-server",), "7", "on PATH")
    usual = {"entry": an_entry("redis"), "engine": engine, "model": None, "ports": {6379: None}}
    return a_world(**{**usual, **changes})


def test_a_module_with_data_has_a_folder_of_its_instance():
    spec = decide(StartRequest("redis", name="cache"), redis()).spec

    assert spec.cwd == "/state/data/cache"
    assert "/state/data/cache" in spec.argv


def test_in_a_container_the_folder_is_mounted_to_be_written():
    spec = decide(StartRequest("redis", mode=Mode.CONTAINER), redis(backends=(NATIVE, DOCKER))).spec

    assert [(mount.source, mount.target, mount.writable) for mount in spec.mounts] == [
        ("/state/data/redis", "/data", True)
    ]
    assert spec.argv[-3:] == ("/data", "--daemonize", "no")


def test_names_are_filled_in_the_environment_too():
    world = a_world(entry=an_entry("ollama"), model=None, ports={11434: None})

    assert decide(StartRequest("ollama"), world).spec.env["OLLAMA_HOST"] == "127.0.0.1:11434"


@pytest.mark.parametrize("name", ["OLLAMA_HOST"])
def test_a_variable_that_would_expose_it_is_refused(name: str):
    world = a_world(entry=an_entry("ollama"), model=None, ports={11434: None})

    with pytest.raises(PlanRefused) as caught:
        decide(StartRequest("ollama", env={name: "0.0.0.0"}), world)
    assert "--env" in caught.value.message


def test_the_image_is_that_for_the_gpus_it_was_given():
    world = a_world(backends=(NATIVE, DOCKER), machine=TWO_GPUS)

    without = decide(StartRequest("llama.cpp", mode=Mode.CONTAINER), world).spec
    with_gpus = decide(StartRequest("llama.cpp", mode=Mode.CONTAINER, gpus=("all",)), world).spec

    assert without.container and ":server-b" in without.container.image
    assert with_gpus.container and ":server-cuda-b" in with_gpus.container.image


def test_a_limit_of_cores_is_told_to_the_engine():
    argv = decide(StartRequest("llama.cpp", cpus=2.5), a_world()).spec.argv

    assert argv[argv.index("--threads") + 1] == "2"
    assert "--threads" not in decide(StartRequest("llama.cpp"), a_world()).spec.argv


def test_this_python_may_be_named_in_a_manifest():
    entry = an_entry_of(
        "name: a\nruntime: {modes: [native]}\nlaunch: {native: {argv: ['{python}', '{package_dir}/x']}}"
    )

    argv = decide(StartRequest("a"), a_world(entry=entry, engine=None, model=None)).spec.argv

    assert argv[0].startswith("/")
    assert argv[1].endswith("/las_jupyter/x")


def test_a_module_that_a_policy_forbids_runs_in_no_mode():
    with pytest.raises(PlanRefused) as caught:
        decide(StartRequest("llama.cpp"), a_world(**under(Policy("site", denied=("llama.cpp",)))))

    assert "policy site denies llama.cpp" in str(caught.value.cause)


def test_a_mode_that_a_policy_forbids_is_passed_over():
    policy = under(Policy("site", modes=(Mode.CONTAINER,)))

    plan = decide(StartRequest("llama.cpp"), a_world(backends=(NATIVE, DOCKER), **policy))

    assert plan.spec.mode is Mode.CONTAINER
    assert "policy site" in plan.decisions[0].passed_over["native"]


@pytest.mark.parametrize(
    ("wish", "policy"),
    [
        ({"gpus": ("all",)}, Policy("site", max_gpus=1)),
        ({"memory": 4 * GIB}, Policy("site", max_memory=2 * GIB)),
        ({"cpus": 4.0}, Policy("site", max_cpus=2.0)),
    ],
)
def test_more_than_a_policy_allows_is_refused_with_its_name(wish: dict[str, object], policy: Policy):
    with pytest.raises(PlanRefused) as caught:
        decide(StartRequest("llama.cpp", **wish), a_world(machine=TWO_GPUS, **under(policy)))  # type: ignore[arg-type]

    assert "policy site allows at most" in str(caught.value.cause)
    assert caught.value.remedy


def test_a_ceiling_bounds_who_asked_for_nothing():
    policy = under(Policy("site", max_memory=2 * GIB, max_cpus=2.0))

    spec = decide(StartRequest("llama.cpp"), a_world(memory_limit=8 * GIB, **policy)).spec

    assert (spec.limits.memory, spec.limits.cpus) == (2 * GIB, 2.0)


def test_a_ceiling_above_the_machines_memory_refuses_nobody_who_asked_for_less():
    policy = under(Policy("site", max_memory=64 * GIB))

    assert decide(StartRequest("llama.cpp"), a_world(**policy)).spec.limits.memory is None
    assert decide(StartRequest("llama.cpp", memory=GIB), a_world(**policy)).spec.limits.memory == GIB
    with pytest.raises(PlanRefused, match="is more than is allowed"):
        decide(StartRequest("llama.cpp", memory=65 * GIB), a_world(**policy))


def test_nobody_is_exposed_by_asking_alone():
    with pytest.raises(PlanRefused) as caught:
        decide(StartRequest("llama.cpp", expose=True), a_world(**under()))
    assert caught.value.cause == "no policy allows network exposure"


def test_a_policy_and_the_user_together_expose_and_it_is_recorded():
    plan = decide(StartRequest("llama.cpp", expose=True), a_world(**under(Policy("open", expose=True))))

    assert plan.spec.argv[plan.spec.argv.index("--host") + 1] == "0.0.0.0"
    assert any(each.subject == "exposure" and "policy open" in each.reason for each in plan.decisions)
    assert plan.spec.exposed
    (warning,) = plan.warnings
    assert warning == (
        "every machine that can reach this one may use llama.cpp on port 8080, with its key and without encryption"
    )
    quiet = decide(StartRequest("llama.cpp"), a_world(**under(Policy("open", expose=True))))
    assert "127.0.0.1" in quiet.spec.argv
    assert (quiet.spec.exposed, quiet.warnings) == (False, ())


def test_a_container_is_exposed_in_the_same_way():
    world = a_world(backends=(DOCKER,), **under(Policy("open", expose=True)))
    plan = decide(StartRequest("llama.cpp", expose=True), world)

    assert (plan.spec.mode, plan.spec.exposed) == (Mode.CONTAINER, True)
    assert "0.0.0.0:8080" in plan_text(plan)
    assert not decide(StartRequest("llama.cpp"), world).spec.exposed
    with pytest.raises(PlanRefused, match="may not be exposed"):
        decide(StartRequest("llama.cpp", expose=True), a_world(backends=(DOCKER,), **under()))


def test_a_server_that_cannot_be_told_its_address_is_not_said_to_be_exposed():
    text = (
        "name: own\nruntime: {modes: [native]}\nports: [{name: http, default: 9100}]\nlaunch: {native: {argv: [x]}}\n"
    )
    world = a_world(entry=an_entry_of(text), engine=None, model=None, ports={9100: None})
    world = replace(world, **under(Policy("open", expose=True)))

    with pytest.raises(PlanRefused, match="cannot be exposed"):
        decide(StartRequest("own", expose=True), world)


def test_what_it_depends_on_is_named_in_the_plan():
    assert decide(StartRequest("llama.cpp"), a_world(requires=("db",))).requires == ("db",)


def sglang(**changes: object):
    engine = Engine(("/usr/bin/sglang",), "1", "on PATH")
    return a_world(**{"entry": an_entry("sglang"), "engine": engine, "ports": {30000: None}, **changes})


def test_a_module_that_is_of_no_use_without_a_gpu_is_refused_without_one():
    with pytest.raises(PlanRefused) as caught:
        decide(StartRequest("sglang"), sglang())
    assert caught.value.cause == "no GPU answers on this machine"
    with pytest.raises(PlanRefused) as caught:
        decide(StartRequest("sglang"), sglang(machine=TWO_GPUS))
    assert caught.value.remedy == "%las start sglang --gpus all"

    assert decide(StartRequest("sglang", gpus=("all",)), sglang(machine=TWO_GPUS)).spec.gpus.ids == ("0", "1")


def test_a_second_gpu_that_lies_idle_is_a_warning():
    plan = decide(StartRequest("redis", gpus=("all",)), redis(machine=TWO_GPUS))

    assert "redis uses one GPU at a time; 2 are set aside for it" in plan.warnings
