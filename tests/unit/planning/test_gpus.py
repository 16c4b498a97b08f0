"""Two instances use one GPU only when somebody says so."""

from __future__ import annotations

import pytest
from worlds import DOCKER, GIB, NATIVE, a_world, an_entry

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Gpus, LaunchSpec
from las_jupyter.core.request import StartRequest
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Machine, World


def an_instance_with(*ids: str, state: ProcessState = ProcessState.RUNNING) -> tuple[Snapshot, LaunchSpec]:
    snapshot = Snapshot("other", "x", Mode.NATIVE, "native", state, "ready")
    return snapshot, LaunchSpec("other", "x", Mode.NATIVE, "native", ("x",), gpus=Gpus(ids, "nvidia"))


def two_gpus(*running: tuple[Snapshot, LaunchSpec]) -> World:
    return a_world(machine=Machine(8.0, 32 * GIB, 20 * GIB, ("0", "1"), "nvidia"), running=running)


def asking_for(*ids: str, share: bool = False) -> StartRequest:
    return StartRequest("llama.cpp", gpus=ids, share_gpu=share)


def test_a_gpu_of_a_running_instance_is_refused_naming_it_and_the_one_that_is_left():
    with pytest.raises(PlanRefused, match="GPU 0 is in use") as refused:
        decide(asking_for("0"), two_gpus(an_instance_with("0")))

    assert refused.value.cause == "GPU 0 is given to other"
    assert refused.value.remedy == "--gpus 1, or --share-gpu to use it together, or %las stop other"


def test_all_gpus_are_refused_when_one_of_them_is_in_use():
    with pytest.raises(PlanRefused, match="GPU 1 is in use"):
        decide(asking_for("all"), two_gpus(an_instance_with("1")))


def test_a_gpu_is_shared_when_that_is_said_and_the_plan_records_with_whom():
    plan = decide(asking_for("0", share=True), two_gpus(an_instance_with("0")))

    told = next(each for each in plan.decisions if each.subject == "GPUs")
    assert plan.spec.gpus.ids == ("0",)
    assert told.reason == "you asked for them, and to share: GPU 0 is given to other"


def test_the_other_gpu_is_free():
    assert decide(asking_for("1"), two_gpus(an_instance_with("0"))).spec.gpus.ids == ("1",)


def test_an_instance_that_ended_holds_no_gpu():
    ended = an_instance_with("0", state=ProcessState.STOPPED)

    assert decide(asking_for("0"), two_gpus(ended)).spec.gpus.ids == ("0",)


def test_an_image_made_for_gpus_is_not_fetched_without_one_while_its_module_runs_natively():
    without = a_world(entry=an_entry("vllm"), backends=(NATIVE, DOCKER), ports={8000: None})

    with pytest.raises(PlanRefused, match="The image of vllm is of no use without a GPU") as refused:
        decide(StartRequest("vllm", mode=Mode.CONTAINER), without)

    assert refused.value.cause == "no GPU answers on this machine"
    assert "--mode native" in (refused.value.remedy or "")
    assert decide(StartRequest("vllm", mode=Mode.NATIVE), without).spec.gpus.ids == ()


def test_an_image_made_for_gpus_names_those_that_could_be_asked_for():
    with pytest.raises(PlanRefused) as refused:
        decide(
            StartRequest("vllm", mode=Mode.CONTAINER),
            a_world(entry=an_entry("vllm"), backends=(NATIVE, DOCKER), machine=two_gpus().machine),
        )

    assert (refused.value.cause, refused.value.remedy) == (
        "none was asked for; here are 0, 1",
        "%las start vllm --gpus all",
    )
