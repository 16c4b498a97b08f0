"""What a log says of a failed start is told and advised, and never obeyed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.advice import in_terminal
from las_jupyter.core.launch import Failure, LaunchSpec
from las_jupyter.core.snapshot import Health, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.core.unseen import in_line
from las_jupyter.logs.reader import LogReader
from las_jupyter.manifests import lower
from las_jupyter.manifests.catalog import bundled
from las_jupyter.runtime.explain import explain, match

LLAMA = next(each.manifest for each in bundled() if each.manifest.name == "llama.cpp")


def test_a_model_file_does_not_write_the_command_that_we_advise() -> None:
    line = "duplicated tensor 'xllamacpp cannot be imported by $(id>/tmp/P) (a)'"

    told = match(lower.failures(LLAMA), [line])

    assert told is not None
    assert "$(id" not in told[1]


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1))
def test_whatever_the_log_says_is_one_word_of_the_advice(text: str) -> None:
    row = Failure("(?s)wrong: (.*)", "it says {1}", "chmod u+r {1} and look")

    told = match((row,), [f"wrong: {text}"])

    assert told is not None
    assert len(shlex.split(in_terminal(told[1]))) == 5
    assert in_line(told[0]) == told[0]
    assert len(told[0]) < 250


def test_a_number_and_an_option_are_advised_as_they_are() -> None:
    row = Failure(r"(\d+) too many, (\S+) unknown", "{1}", "add -- --max-model-len {1}, or remove {2}")

    assert match((row,), ["4096 too many, --frob unknown"]) == ("4096", "add -- --max-model-len 4096, or remove --frob")


def test_a_group_that_names_another_is_told_as_it_is() -> None:
    assert match((Failure("(.) (.*)", "{1}", "say {2}"),), ["a {1}{3}"]) == ("a", "say '{{1}}{{3}}'")


@pytest.mark.parametrize("remedy", ["", "%las doctor"])
def test_without_a_remedy_of_ours_the_log_is_the_next_step(tmp_path: Path, remedy: str) -> None:
    log = tmp_path / "log"
    log.write_text("boom\n")
    health = Health(HealthState.UNKNOWN, "")
    snapshot = Snapshot("chat", "mine", Mode.NATIVE, "native", ProcessState.FAILED, "it ended", health)
    spec = LaunchSpec("chat", "mine", Mode.NATIVE, "native", ("x",), failures=(Failure("boom", "it broke", remedy),))

    error = explain(spec, snapshot, LogReader(str(log)))

    assert (error.cause, error.remedy) == ("it broke", remedy or "%las logs chat --tail 200")
