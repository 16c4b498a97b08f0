"""The same start in both modes: what differs is marked, and a mode that is not possible says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import DOCKER, NATIVE, NO_DOCKER, a_world

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.request import ComparedRow, Comparison, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.display.comparison import ReadableComparison
from las_jupyter.display.data import as_data
from las_jupyter.planning.compare import side, side_by_side
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Engine, World
from las_jupyter.policy.rules import Hardware, Policy, judge_policy

BOTH = a_world(backends=(NATIVE, DOCKER), person=(1234, 1234))


def compared(world: World = BOTH, **asked: object) -> Comparison:
    request = StartRequest("llama.cpp")._replace(**asked)  # type: ignore[arg-type]
    return side_by_side(request, "llama.cpp", tuple(side(request, world, mode) for mode in Mode), world.keepers)


def row(comparison: Comparison, subject: str) -> ComparedRow:
    return next(each for each in comparison.rows if each.subject == subject)


def test_each_side_is_the_plan_of_that_mode():
    native, container = compared().sides

    assert native.plan == decide(StartRequest("llama.cpp", mode=Mode.NATIVE), BOTH)
    assert container.plan == decide(StartRequest("llama.cpp", mode=Mode.CONTAINER), BOTH)


def test_what_differs_is_marked_and_what_is_the_same_is_not():
    keepers = {"memory": "watched", "pids": "cgroup v1"}
    comparison = compared(replace(BOTH, keepers=keepers), memory=10**9, cpus=1.5)

    assert row(comparison, "user").differs
    assert row(comparison, "memory limit") == (
        "memory limit", "953.7 MiB, watched every 2 s", "953.7 MiB, enforced by the engine", True
    )  # fmt: skip
    assert row(comparison, "cpu limit").native == "1.5 cores, not enforced here"
    assert row(comparison, "process limit").native == "4096, enforced by cgroup v1"
    assert not row(comparison, "ready when").differs
    assert row(comparison, "image").native == "none"


def test_every_question_about_a_container_has_a_row():
    subjects = {each.subject for each in compared().rows}

    assert subjects >= {
        "runs", "arguments", "user", "network", "ports", "sees files", "writes to", "environment", "memory limit",
        "cpu limit", "process limit", "shared memory", "capabilities", "new privileges", "system calls", "GPUs",
        "ready when", "watched by", "stop", "memory needed",
    }  # fmt: skip


def test_a_mode_that_is_not_possible_says_why_and_what_cures_it_and_nothing_is_marked():
    comparison = compared(a_world(backends=(NATIVE, NO_DOCKER)))

    told = row(comparison, "possible").container
    assert "the daemon does not answer" in told
    assert "systemctl start docker" in told
    assert row(comparison, "user").container == ""
    assert not any(each.differs for each in comparison.rows)


def test_without_any_mode_each_tells_its_own_reason():
    nothing = Engine(None, why="llama-server is not installed", remedy="install it")

    comparison = compared(a_world(backends=(NATIVE, NO_DOCKER), engine=nothing))

    assert "llama-server is not installed" in row(comparison, "possible").native
    assert "the daemon does not answer" in row(comparison, "possible").container


def test_what_is_wrong_in_both_modes_is_refused_as_any_plan_is():
    with pytest.raises(PlanRefused) as refused:
        compared(args=("--host", "0.0.0.0"))

    assert "would undo what was decided" in (refused.value.cause or "")


def test_a_secret_of_the_environment_is_neither_in_the_text_nor_in_the_table_nor_in_the_data():
    shown = ReadableComparison(*compared(env={"HF_TOKEN": "hf_secret", "THREADS": "<2>"}))

    for text in (repr(shown), shown._repr_html_(), str(as_data(shown))):
        assert "hf_secret" not in text
        assert "HF_TOKEN of yours" in text


def test_the_table_of_a_notebook_holds_no_html_of_others():
    shown = ReadableComparison(*compared(env={"X": "<img src=x>"}))

    assert "<img" not in shown._repr_html_()
    assert "&lt;img src=x&gt;" in shown._repr_html_()


def test_who_may_reach_an_exposed_server_is_told_of_both_modes():
    allowed = judge_policy((Policy("lab", expose=True),), Hardware(), "llama.cpp")

    comparison = compared(replace(BOTH, policy=allowed), expose=True)

    for told in (row(comparison, "network"), row(comparison, "ports")):
        assert "127.0.0.1" not in told.native + told.container
    assert "all addresses" in row(comparison, "network").container


def test_the_command_that_chooses_starts_the_same_model():
    text = repr(ReadableComparison(*compared(model="./my model.gguf")))

    assert text.endswith("%las start llama.cpp --model './my model.gguf' --mode native")


def test_the_text_fits_a_terminal_and_marks_what_differs():
    lines = repr(ReadableComparison(*compared())).splitlines()

    assert max(len(line) for line in lines) <= 118
    assert any(line.startswith("≠ user") for line in lines)
    assert any(line.startswith("  ready when") for line in lines)
    assert "%las start llama.cpp --mode native" in lines[-1]
