"""Regular expressions of a manifest: what can hold up whoever searches is refused where it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests.load import parse_manifest

PLACES = {
    "health.ready.log": {"health": {"ready": {"log": "PATTERN"}}},
    "health.live.log": {"health": {"live": {"log": "PATTERN"}}},
    "phases[1].pattern": {"phases": [{"pattern": "fine", "says": "x"}, {"pattern": "PATTERN", "says": "x"}]},
    "failures[0].pattern": {"failures": [{"pattern": "PATTERN", "meaning": "x", "remedy": "x"}]},
    "identity.pattern": {"identity": {"path": "/", "pattern": "PATTERN"}},
}


def manifest(more: dict[str, Any], pattern: str) -> bytes:
    whole = {"name": "mine", "runtime": {"modes": ["native"]}, "ports": [{"default": 9000}], **more}
    return json.dumps(whole).replace("PATTERN", json.dumps(pattern)[1:-1]).encode()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("pattern", ["(a+)+$", r"x.*\((\S+)/(\S+) GiB"])
def test_a_pattern_that_may_take_for_ever_is_named_with_its_place_and_what_to_write(place: str, pattern: str) -> None:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(manifest(PLACES[place], pattern), "m.yaml")

    assert place in str(caught.value.cause)
    assert "line 1" in str(caught.value.cause)
    assert "may take for ever" in str(caught.value.cause)


@pytest.mark.parametrize("place", PLACES)
def test_any_other_pattern_is_taken(place: str) -> None:
    parse_manifest(manifest(PLACES[place], r"listening on (\S+):(\d+)"), "m.yaml")
