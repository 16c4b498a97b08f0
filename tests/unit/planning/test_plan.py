"""From a request to a launch spec with every reason, or to a refusal with its cure."""

from __future__ import annotations

import pytest
from worlds import DOCKER, GIB, NATIVE, NO_DOCKER, a_world, an_entry, an_entry_of

from las_jupyter.core.errors import BadRequest, NotTrusted, PlanRefused, PortTaken
from las_jupyter.core.fingerprint import differences
from las_jupyter.core.launch import LaunchSpec, Mount
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Lifetime, Mode, ProcessState, RestartPolicy
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend, Engine, Machine, ModelFile


def asked(**changes: object) -> StartRequest:
    return StartRequest("llama.cpp")._replace(**changes)  # type: ignore[arg-type]


def why(plan: StartPlan, subject: str) -> str:
    return next(each.reason for each in plan.decisions if each.subject == subject)


def test_a_plan_is_the_whole_command_with_the_engine_that_was_found():
    spec = decide(asked(), a_world()).spec

    assert spec.argv == (
        "/opt/llama-server", "--model", "/models/small.gguf", "--alias", "smollm2-135m", "--host", "127.0.0.1",
        "--port", "8080", "--api-key-file", "{secret_file:api_key}", "--metrics",
    )  # fmt: skip
    assert (spec.name, spec.backend, spec.model_alias) == ("llama.cpp", "native", "smollm2-135m")


def test_no_scope_is_promised_for_the_number_of_processes_alone():
    keepers = dict.fromkeys(("memory", "cpus", "pids"), "systemd scope")

    def told(**limits: object) -> str:
        plan = decide(asked(**limits), a_world(keepers=keepers))
        return next(each.choice for each in plan.decisions if each.subject == "limits")

    assert "scope" not in told()
    assert "watched" in told()
    assert "4096 processes enforced by a systemd scope" in told(memory=8 * GIB)


def test_a_native_plan_says_who_will_keep_each_limit():
    keepers = {"memory": "cgroup v1", "cpus": "none", "pids": "cgroup v1"}

    plan = decide(asked(memory=8 * GIB, cpus=2.0), a_world(keepers=keepers))

    choice = next(each.choice for each in plan.decisions if each.subject == "limits")
    assert choice == "memory 8.0 GiB, 4096 processes enforced by cgroup v1; 2 cores not enforced here"
    held = decide(asked(mode=Mode.CONTAINER), a_world(backends=(NATIVE, DOCKER), keepers=keepers))
    assert "limits" not in [each.subject for each in held.decisions]


def test_no_secret_is_on_the_command_line_and_none_is_in_the_spec():
    spec = decide(asked(), a_world()).spec

    assert [use.name for use in spec.secrets] == ["api_key"]
    assert "{secret_file:api_key}" in spec.argv


def test_extra_arguments_come_last_and_are_untouched():
    spec = decide(asked(args=("--ctx-size", "8192")), a_world()).spec

    assert spec.argv[-2:] == ("--ctx-size", "8192")


@pytest.mark.parametrize(
    "args",
    [("--host", "0.0.0.0"), ("--host=0.0.0.0",), ("--port", "1"), ("--api-key", "k"), ("--API_KEY=k",), ("-m", "x")],
    ids=" ".join,
)
def test_an_argument_that_would_undo_a_decision_is_refused_with_the_right_way(args):
    with pytest.raises(PlanRefused) as refused:
        decide(asked(args=args), a_world())

    assert refused.value.remedy


def test_the_port_of_the_module_is_taken_when_it_is_free():
    assert decide(asked(), a_world()).spec.ports[0].host == 8080


def test_another_port_is_taken_when_it_is_not_and_the_plan_says_who_has_it():
    plan = decide(asked(), a_world(ports={8080: "nginx (pid 7)"}))

    port = next(each for each in plan.decisions if each.subject == "port http")
    assert plan.spec.ports[0].host == 40001
    assert port.passed_over == {"8080": "nginx (pid 7) has it"}
    assert "40001" in plan.spec.argv


def test_a_port_that_was_asked_for_is_never_replaced():
    with pytest.raises(PortTaken, match="8080") as refused:
        decide(asked(port=8080), a_world(ports={8080: "nginx (pid 7)"}))

    assert "nginx (pid 7)" in (refused.value.cause or "")


def test_asking_again_means_the_same_server_wherever_the_first_one_found_a_place():
    first = decide(asked(), a_world()).spec
    again = decide(asked(), a_world(ports={8080: "it itself"})).spec

    assert first.fingerprint == again.fingerprint


def test_another_port_asked_for_means_another_server():
    first = decide(asked(), a_world()).spec
    other = decide(asked(port=9000), a_world(ports={9000: None})).spec

    assert first.fingerprint != other.fingerprint
    assert "ports" in differences(first, other)


def test_without_a_wish_no_gpu_is_seen():
    plan = decide(asked(), a_world(machine=Machine(8.0, 32 * GIB, 20 * GIB, ("0", "1"), "nvidia")))

    assert plan.spec.gpus.ids == ()
    assert why(plan, "GPUs") == "none were asked for"


def test_all_gpus_are_those_that_are_here():
    world = a_world(machine=Machine(8.0, 32 * GIB, 20 * GIB, ("0", "1"), "nvidia"))

    assert decide(asked(gpus=("all",)), world).spec.gpus.ids == ("0", "1")


def test_a_gpu_that_is_not_here_is_refused():
    with pytest.raises(PlanRefused, match="GPU 3") as refused:
        decide(asked(gpus=("3",)), a_world())

    assert refused.value.cause == "no GPU answers on this machine"


def running(promised: int) -> tuple[Snapshot, LaunchSpec]:
    snapshot = Snapshot("other", "x", Mode.NATIVE, "native", ProcessState.RUNNING, "ready")
    return snapshot, LaunchSpec("other", "x", Mode.NATIVE, "native", ("x",), memory_promised=promised)


def test_memory_that_is_promised_already_cannot_be_promised_again():
    with pytest.raises(PlanRefused, match=r"8\.0 GiB") as refused:
        decide(asked(memory=8 * GIB), a_world(running=(running(28 * GIB),)))

    assert "28.0 GiB are promised" in (refused.value.cause or "")


def test_overcommitment_is_possible_when_it_is_said_and_is_recorded():
    plan = decide(asked(memory=8 * GIB, overcommit=True), a_world(running=(running(28 * GIB),)))

    assert plan.spec.limits.memory == 8 * GIB
    assert "overcommitted" in why(plan, "memory")


def test_a_manifest_that_nobody_trusts_does_not_run_natively():
    with pytest.raises(NotTrusted) as refused:
        decide(asked(), a_world(entry=an_entry(trusted=False)))

    assert (refused.value.remedy or "").count("%las trust") == 1


def test_a_manifest_that_nobody_trusts_may_run_in_a_container():
    plan = decide(asked(mode=Mode.CONTAINER), a_world(entry=an_entry(trusted=False), backends=(NATIVE, DOCKER)))

    assert plan.spec.mode is Mode.CONTAINER


def test_in_a_container_the_server_listens_inside_and_the_model_is_mounted_read_only():
    spec = decide(asked(mode=Mode.CONTAINER), a_world(backends=(NATIVE, DOCKER))).spec

    assert spec.argv[spec.argv.index("--host") + 1] == "0.0.0.0"
    assert spec.mounts == (Mount("/models/small.gguf", "/models/small.gguf", False),)
    assert spec.container is not None
    assert spec.container.read_only


def test_what_an_engine_lacks_is_refused_with_the_command_that_installs_it():
    lacking = Engine(None, "", "llama-server is not installed", "pip install 'las-jupyter[llamacpp]'")

    with pytest.raises(PlanRefused) as refused:
        decide(asked(), a_world(engine=lacking))
    assert refused.value.remedy == "pip install 'las-jupyter[llamacpp]'"


def test_a_model_that_is_not_here_yet_is_announced_as_a_download():
    world = a_world(model=ModelFile("smollm2-135m", "/cache/m.gguf", "smollm2-135m", "93 MB from a package"))

    assert decide(asked(), world).downloads == ("93 MB from a package",)


def test_a_secret_variable_cannot_be_set_by_hand():
    with pytest.raises(PlanRefused, match="LLAMA_API_KEY"):
        decide(asked(env={"LLAMA_API_KEY": "mine"}), a_world())


@pytest.mark.parametrize("text", ["nonsense", "/a:b", "/a:/b:rwx", ":/b"])
def test_a_mount_that_makes_no_sense_is_a_bad_request(text):
    with pytest.raises(BadRequest):
        decide(asked(mounts=(text,)), a_world())


def test_what_the_user_says_of_grace_restart_and_lifetime_outranks_everything():
    spec = decide(asked(grace=3.0, restart=RestartPolicy.ALWAYS, lifetime=Lifetime.KERNEL), a_world()).spec

    assert (spec.stop.grace, spec.restart.policy, spec.lifetime) == (3.0, RestartPolicy.ALWAYS, Lifetime.KERNEL)


def test_an_upstream_manifest_says_what_it_lacks_to_be_started():
    entry = an_entry_of("name: tool\nruntime: {modes: [binary, source], preferred: binary}\n")

    with pytest.raises(PlanRefused) as refused:
        decide(StartRequest("tool"), a_world(entry=entry, engine=None, model=None))
    assert "its modes are binary, source" in (refused.value.cause or "")


def test_a_plan_warns_when_the_machine_is_smaller_than_the_module_wants():
    world = a_world(machine=Machine(1.0, GIB // 2, GIB // 4))

    assert decide(asked(), world).warnings


def test_no_engine_of_any_kind_is_a_refusal_that_names_both():
    gone = Backend("native", Mode.NATIVE, "it needs Linux")

    with pytest.raises(PlanRefused) as refused:
        decide(asked(), a_world(backends=(gone, NO_DOCKER)))
    assert "it needs Linux" in (refused.value.cause or "")
    assert "the daemon does not answer" in (refused.value.cause or "")


def test_secrets_around_a_native_server_are_named_as_not_handed_on_unless_it_was_given_them():
    names = ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")

    def withheld(mode: Mode, **env: str) -> list[str]:
        world = a_world(secrets_around=names, backends=(NATIVE, DOCKER))
        plan = decide(StartRequest("llama.cpp", mode=mode, env=env), world)
        return [each.choice for each in plan.decisions if each.subject == "withheld"]

    assert withheld(Mode.NATIVE) == ["AWS_SECRET_ACCESS_KEY, GITHUB_TOKEN"]
    assert withheld(Mode.NATIVE, GITHUB_TOKEN="x") == ["AWS_SECRET_ACCESS_KEY"]
    assert withheld(Mode.NATIVE, **dict.fromkeys(names, "x")) == []
    assert withheld(Mode.CONTAINER) == []
