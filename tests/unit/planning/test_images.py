"""What a plan says of its image."""

from __future__ import annotations

import pytest
from worlds import DOCKER, NATIVE, a_world

from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import bundled
from las_jupyter.planning.images import tag_moves, tell_image
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
    assert tell_image(a_plan(), None).decisions[-1].reason == "it is not here yet and will be pulled"


def test_an_engine_that_does_not_answer_is_no_sign_of_an_image_that_is_not_here():
    assert "cannot be told: timed out" in tell_image(a_plan(), None, "timed out").decisions[-1].reason


def test_a_native_plan_has_no_image():
    assert tell_image(a_plan(Mode.NATIVE), None) == a_plan(Mode.NATIVE)


def said(plan: StartPlan) -> str:
    return plan.decisions[-1].reason


def a_plan_of(image: str) -> StartPlan:
    plan = a_plan()
    assert plan.spec.container is not None
    return plan._replace(spec=plan.spec._replace(container=plan.spec.container._replace(image=image)))


@pytest.mark.parametrize(
    "image",
    ["redis", "redis:latest", "a/b:main", "a/b:server-cuda", "redis:7-alpine", "a/b:pg17", "a/b:1.0", "h:5000/a/b",
     "h:5000/a/b:rocm", "a/b:latest-unprivileged", "a/b:cpu-1.9", "a/b:decade", "a.b.c/1.2.3:latest"],
)  # fmt: skip
def test_a_tag_without_a_version_is_told_to_move(image):
    assert tag_moves(image)
    assert "its tag moves" in said(tell_image(a_plan_of(image), None))
    assert "its tag moves" in said(tell_image(a_plan_of(image), EXACT))
    assert "its tag moves" not in said(tell_image(a_plan_of(image), "sha256:abc"))  # built here


@pytest.mark.parametrize(
    "image",
    ["redis:7.4.11-alpine", "a/b:v0.30.0", "a/b:server-cuda-b11382", "a/b:0.8.6-pg17", "a/b:20260101", "a/b:4f3c2b1a",
     "redis@sha256:" + "0" * 64, "a/b:latest@sha256:" + "0" * 64, "h:5000/a/b:1.2.3", "sha256:" + "a" * 64],
)  # fmt: skip
def test_a_version_or_a_digest_does_not_move(image):
    assert not tag_moves(image)
    assert "moves" not in said(tell_image(a_plan_of(image), EXACT))


@pytest.mark.parametrize("entry", bundled(), ids=lambda entry: entry.manifest.name)
def test_every_image_of_a_bundled_module_names_its_version(entry):
    part = entry.manifest.launch.container

    assert [each for each in ((part.image, *part.images.values()) if part else ()) if tag_moves(each)] == []


def test_a_name_that_means_another_image_than_before_is_told_with_both():
    after = EXACT.replace("sha256:1", "sha256:2")

    assert f"it is here as {after}; this name meant {EXACT} before" in said(tell_image(a_plan(), after, last=EXACT))
    assert f"this name meant {EXACT} before" in said(tell_image(a_plan(), after, last=after, before=EXACT))
    assert "before" not in said(tell_image(a_plan(), EXACT, last=EXACT))


def test_what_an_image_was_at_the_last_start_is_told_before_it_is_fetched_again():
    assert f"will be pulled; at the last start it was {EXACT}" in said(tell_image(a_plan(), None, last=EXACT))
