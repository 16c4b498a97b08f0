"""Which regular expressions may be searched for in lines that somebody else writes."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from las_jupyter.logs.patterns import searchable, too_slow
from las_jupyter.logs.scan import LONGEST_LINE

EVIL = (
    "(a+)+$", "^(a+)+$", "(a*)*b", "(a|a)*b", "(a|aa)+$", "(x?)*y", r"(\d+\s?)+$", r"([a-z]+)*\d", r"(?:\w+\.?)+@",
    "(.*a){12}", "(?:.*a){1,30}x", "(?:a{1,30}){1,30}b", ".*.*.*=", r"\s+\s+\s+$", "a{0,500}a{0,500}b",
    r"(.+)\1+$", "(?=(a+)+$)b", "(?!(a+)+$)b", "(?>(a|a)*)b", "(a++)+b", "((((((a+)?b?)?)?)?)?)+x",
    r"on device .*\((\S+)/(\S+) GiB\) on startup", "error.*file.*missing", "(?i)(A+)+$", r"(?s)(.|\s)*x",
)  # fmt: skip
GOOD = (
    "listening on", "error: (.*)", "error.*missing", "^error.*file.*missing", r"port (\d+), host (\S+): taken",
    r"[^()]*\(([\d.]+)/([\d.]+) GiB\)", "P .{0,40} Q .{0,20} R", "(?:ab)*c", "(foo|bar)+x", "(?i)^server: x",
    "Ready$", r"\bfoo\b.*bar", "a|b|c", "", "'([^']*)'", r"(?:\d+,)?x", "(?:Permission denied|Read-only file system)",
)  # fmt: skip


@pytest.mark.parametrize("pattern", EVIL)
def test_a_pattern_that_a_line_can_make_endless_is_known_by_its_form(pattern: str) -> None:
    assert too_slow(pattern)
    assert searchable(pattern) is None


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_made_for_its_purpose_is_searched(pattern: str) -> None:
    assert not too_slow(pattern)


def test_a_longer_text_allows_less() -> None:
    assert not too_slow("error.*missing")
    assert too_slow("error.*missing", 100 * LONGEST_LINE)


def test_what_is_no_pattern_is_never_found() -> None:
    assert searchable("(") is None


def test_the_check_itself_ends_soon_whatever_it_is_given() -> None:
    begun = time.process_time()

    for pattern in ("(" * 80 + "a" + "?)" * 80, "(?:a|b?)" * 60, "(a|b|c?)+" * 50, "x*" * 200, "((a?b)+c?)+" * 40):
        too_slow(pattern)

    assert time.process_time() - begun < 2


LETTERS = st.sampled_from(["a", "b", ".", r"\d", r"\s", "[ab]", "[^a]", r"\w", r"\S", "1", " ", "x"])
PATTERNS = st.recursive(
    LETTERS,
    lambda each: st.one_of(
        st.tuples(each, st.sampled_from(["*", "+", "?", "{1,3}", "{0,40}", "*?", "{2,}"])).map(
            lambda parts: f"(?:{parts[0]}){parts[1]}"
        ),
        st.tuples(each, each).map(lambda parts: f"({parts[0]}|{parts[1]})"),
        st.tuples(each, each).map("".join),
        each.map(lambda part: f"(?={part})"),
    ),
    max_leaves=8,
)
LINES = [
    (piece * LONGEST_LINE)[: LONGEST_LINE - 1] + end
    for piece in ("a", "b", "1", " ", "x", "ab", "a1", "a ", "aab", "a1 b")
    for end in ("!", "€")
]


@settings(deadline=None, max_examples=200)
@given(PATTERNS, st.sampled_from(["", "$", "!", "x"]))
def test_what_passes_is_searched_soon_in_the_worst_lines(pattern: str, end: str) -> None:
    if too_slow(pattern + end):
        return
    compiled = re.compile(pattern + end)
    for line in LINES:
        begun = time.process_time()
        compiled.search(line)
        assert time.process_time() - begun < 1
