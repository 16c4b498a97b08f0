"""Looking for the reason of a failure in lines and with patterns that may both be strangers'."""

from __future__ import annotations

import time

from las_jupyter.core.launch import Failure
from las_jupyter.logs.scan import LONGEST_LINE
from las_jupyter.runtime.explain import match

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
