"""What a plan says of its image."""

from __future__ import annotations

from worlds import DOCKER, NATIVE, a_world

from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.planning.images import tell_image
from las_jupyter.planning.plan import decide

EXACT = "ghcr.io/ggml-org/llama.cpp@sha256:1"


def a_plan(mode: Mode = Mode.CONTAINER) -> StartPlan:
    return decide(StartRequest("llama.cpp", mode=mode), a_world(backends=(NATIVE, DOCKER)))


def test_an_image_that_is_here_is_told_by_its_digest_also_to_the_instance():
    plan = tell_image(a_plan(), EXACT)

    assert plan.image == EXACT
    assert plan.spec.decisions[-1].reason == f"it is here as {EXACT}"
    assert plan.spec.fingerprint == a_plan().spec.fingerprint


def test_an_image_that_is_not_here_will_be_pulled():
    assert tell_image(a_plan(), None).decisions[-1].reason == "it is not here yet, will be pulled"


def test_an_engine_that_does_not_answer_is_no_sign_of_an_image_that_is_not_here():
    assert "cannot be told: timed out" in tell_image(a_plan(), None, "timed out").decisions[-1].reason


def test_a_native_plan_has_no_image():
    assert tell_image(a_plan(Mode.NATIVE), None) == a_plan(Mode.NATIVE)
