"""Who a container runs as, and what of its manifest reaches it."""

from __future__ import annotations

import pytest
from worlds import DOCKER, GIB, NATIVE, a_world, an_entry, an_entry_of

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import bundled
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend, Machine

OWN = """
name: own
runtime: {modes: [container]}
ports: [{default: 8080}]
launch:
  container: {image: "own:1", inner_port: 80%s}
"""
CONTAINERS = [each.manifest.name for each in bundled() if each.manifest.missing(Mode.CONTAINER) is None]


def planned(more: str = "", mounts: tuple[str, ...] = (), **changes: object) -> StartPlan:
    world = a_world(entry=an_entry_of(OWN % more), backends=(NATIVE, DOCKER), model=None, engine=None, **changes)
    return decide(StartRequest("own", mounts=mounts), world)


def user_of(plan: StartPlan) -> tuple[str | None, str]:
    assert plan.spec.container is not None
    return plan.spec.container.user, next(each.reason for each in plan.decisions if each.subject == "user")


def test_a_manifest_without_a_user_runs_as_whoever_starts_it() -> None:
    assert user_of(planned(person=(1234, 100)))[0] == "1234:100"


def test_what_root_starts_runs_as_a_number_that_nobody_has() -> None:
    user, reason = user_of(planned(person=(0, 0), spare_user=2_060_000_000))

    assert user == "2060000000:2060000000"
    assert "nobody on this machine has that number" in reason


def test_where_an_engine_makes_other_numbers_of_all_it_is_one_that_it_knows() -> None:
    remapped = Backend("docker", Mode.CONTAINER, maps_users=True)
    entry = an_entry_of(OWN % "")
    world = a_world(entry=entry, model=None, engine=None, backends=(NATIVE, remapped), person=(0, 0))

    assert user_of(decide(StartRequest("own"), world))[0] == "1000:1000"


def test_a_user_that_the_manifest_names_is_taken() -> None:
    assert user_of(planned(', user: "65532:65532"', person=(1234, 100)))[0] == "65532:65532"


def test_a_number_of_a_person_is_told_as_theirs() -> None:
    told = user_of(planned(', user: "1000:1000"', person=(0, 0), number_owner="alice"))[1]
    own = user_of(planned(', user: "1000:1000"', person=(1000, 1000), number_owner="me"))[1]

    assert "on this machine that is alice, who can read its key and its data" in told
    assert own == "the manifest names it"


@pytest.mark.parametrize(("written", "user"), [("0:0", "0:0"), ("00", "0"), ("000:0", "0:0"), ("root", "root")])
def test_root_is_taken_in_any_spelling_with_its_reason(written: str, user: str) -> None:
    plan = planned(f', user: "{written}", user_reason: it changes its own limits')

    assert user_of(plan) == (user, "it changes its own limits")


@pytest.mark.parametrize("written", ["0", "00", "0:0", "00:00", "0:1000", "root", "root:app", "keep"])
def test_root_without_a_reason_is_refused_where_it_is_written(written: str) -> None:
    with pytest.raises(InvalidManifest) as refused:
        planned(f', user: "{written}"')

    assert "launch.container.user" in str(refused.value.cause)
    assert "user_reason must say why" in str(refused.value.cause)


@pytest.mark.parametrize(
    "written", ["+0", "0x0", "-1", " 0", "٠", "0:", ":0", "1:2:3", "4294967296", "Root", "a b", "$(id)"]
)
def test_what_is_no_user_is_refused_where_it_is_written(written: str) -> None:
    with pytest.raises(InvalidManifest, match="breaks the manifest schema") as refused:
        planned(f', user: "{written}", user_reason: why not')

    assert "launch.container.user" in str(refused.value.cause)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("65532:0", "its group is root's"),
        ("65532", "or root's where the image knows none"),
        ("app:root", "its group is root's"),
    ],
)
def test_the_group_of_root_is_told(written: str, told: str) -> None:
    assert told in user_of(planned(f', user: "{written}"'))[1]


def test_a_reason_that_nobody_trusts_is_quoted_as_its_own() -> None:
    entry = an_entry_of(OWN % ', user: "0", user_reason: "it says so"')._replace(trusted=False)
    plan = decide(StartRequest("own"), a_world(entry=entry, backends=(NATIVE, DOCKER), model=None, engine=None))

    assert user_of(plan)[1] == "its manifest says: “it says so”"


def test_the_images_own_user_is_kept_for_the_reason_the_manifest_gives() -> None:
    user, reason = user_of(planned(", user: keep, user_reason: it writes to the home of root"))

    assert (user, reason) == (None, "it is root where the image names nobody: it writes to the home of root")


def test_where_root_inside_is_the_person_it_is_root_only_to_write_to_their_folders() -> None:
    rootless = DOCKER.__class__("docker", Mode.CONTAINER, maps_root=True)
    world = {"person": (1234, 100), "backends": (NATIVE, rootless)}
    entry = an_entry_of(OWN % "")

    reading = decide(StartRequest("own"), a_world(entry=entry, model=None, engine=None, **world))
    writing = decide(StartRequest("own", mounts=("/d:/d:rw",)), a_world(entry=entry, model=None, engine=None, **world))

    assert user_of(reading)[0] == "1000:1000"
    assert user_of(writing)[0] == "0:0"


@pytest.mark.parametrize("module", CONTAINERS)
def test_no_bundled_module_runs_as_root_in_a_container_without_saying_why(module: str) -> None:
    machine = Machine(64.0, 256 * GIB, 200 * GIB, ("0",), "nvidia")
    world = a_world(entry=an_entry(module), backends=(NATIVE, DOCKER), machine=machine)
    plan = decide(StartRequest(module, mode=Mode.CONTAINER, gpus=("0",)), world)
    user, reason = user_of(plan)

    assert user != "0:0"
    assert user is not None or reason.partition(": ")[2]


def test_the_shared_memory_that_a_manifest_wants_is_given_to_its_container_alone() -> None:
    machine = Machine(64.0, 256 * GIB, 200 * GIB, ("0",), "nvidia")
    world = a_world(entry=an_entry("vllm"), backends=(NATIVE, DOCKER), machine=machine)

    container = decide(StartRequest("vllm", mode=Mode.CONTAINER, gpus=("0",)), world)
    native = decide(StartRequest("vllm", mode=Mode.NATIVE, gpus=("0",)), world)

    assert container.spec.limits.shm == 8_000_000_000
    assert native.spec.limits.shm is None
