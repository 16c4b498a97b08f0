"""A plan for a container says which engine runs it and what is against the others."""

from __future__ import annotations

from worlds import DOCKER, NATIVE, NO_DOCKER, a_world

from las_jupyter.core.launch import Decision
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend
from las_jupyter.policy.rules import PolicyVerdict

PODMAN = Backend("podman", Mode.CONTAINER)


def engine_of(*backends: Backend, **world: object) -> Decision:
    plan = decide(StartRequest("llama.cpp", mode=Mode.CONTAINER), a_world(backends=(NATIVE, *backends), **world))
    return next(each for each in plan.decisions if each.subject == "engine")


def test_the_first_engine_in_order_is_taken_and_the_way_to_the_other_is_told():
    decision = engine_of(DOCKER)

    assert (decision.choice, decision.reason) == ("docker", "it comes first")
    assert decision.passed_over == {"podman": "docker comes first; set runtime.container_engine to podman to take it"}


def test_an_engine_that_cannot_be_used_is_named_with_its_reason():
    decision = engine_of(NO_DOCKER, PODMAN)

    assert (decision.choice, decision.reason) == ("podman", "it is the next that can be used")
    assert decision.passed_over == {"docker": "the daemon does not answer"}


def test_the_engine_of_the_settings_is_taken_without_a_look_at_others():
    decision = engine_of(PODMAN, container_engine="podman")

    assert (decision.choice, decision.reason, decision.passed_over) == (
        "podman",
        "runtime.container_engine says so",
        {},
    )


def warnings(*, expose: bool = False, **backend: str) -> tuple[str, ...]:
    engine = Backend("docker", Mode.CONTAINER, **backend)
    request = StartRequest("llama.cpp", mode=Mode.CONTAINER, expose=expose)
    policy = PolicyVerdict(expose=True, reasons={"expose": "a policy allows it"})
    return decide(request, a_world(backends=(NATIVE, engine), policy=policy)).warnings


def test_an_engine_that_cannot_close_its_containers_is_warned_of_with_its_reason():
    found = warnings(reachable="this Docker passes everything on (take another)")

    assert (
        "other machines may reach it, though it is not exposed: this Docker passes everything on (take another)"
        in found
    )
    assert not any("though it is not exposed" in each for each in warnings())


def test_what_is_exposed_is_not_warned_of_as_not_closed():
    assert not any("though it is not exposed" in each for each in warnings(expose=True, reachable="so"))
