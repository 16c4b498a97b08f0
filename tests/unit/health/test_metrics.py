"""A server whose work stands still is found out though it answers; one that is idle or silent is left in peace."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as some

from las_jupyter.core.launch import Progress
from las_jupyter.health.answers import Word
from las_jupyter.health.metrics import Work, judge_work, sample

RULE = Progress("http", "/metrics", "tokens_total", "running", stuck_after=60)
BEFORE = Work(100.0, moved_at=0.0)


def page(tokens: float, running: float) -> str:
    return f"# HELP tokens_total so far\ntokens_total {tokens}\nrunning {running}\n"


def test_work_that_stands_still_while_requests_run_is_a_no():
    _, answer = judge_work(BEFORE, page(100, 2), RULE, now=61.0)

    assert answer.word is Word.NO
    assert "2 requests" in answer.reason


@pytest.mark.parametrize(
    ("tokens", "running", "now"), [(101, 2, 61.0), (100, 0, 61.0), (3, 2, 61.0), (100, 2, 59.0)],
    ids=["it moved", "nothing to do", "the server began anew", "not long enough"],
)  # fmt: skip
def test_everything_else_is_well(tokens: float, running: float, now: float):
    assert judge_work(BEFORE, page(tokens, running), RULE, now)[1].word is Word.YES


def test_idling_is_no_standing_still():
    work, _ = judge_work(BEFORE, page(100, 0), RULE, now=1000.0)

    assert judge_work(work, page(100, 1), RULE, now=1010.0)[1].word is Word.YES


def test_a_page_without_the_samples_changes_nothing():
    work, answer = judge_work(BEFORE, "other 1\n", RULE, now=1000.0)

    assert work is BEFORE
    assert answer.word is Word.UNASKED


def test_samples_are_added_up_over_labels_that_may_hold_anything():
    text = 'a{x="} 5 {"} 1\na{x="2"} 2.5 1700000000\na_total 7\na 4e0\na broken\n'

    assert sample(text, "a") == 7.5
    assert sample(text, "b") is None


@given(some.lists(some.sampled_from(["a 1", 'a{x="y z"} 2', "ab 4", "b 8", "", "a", "# a 16", " a 32", "a\t64 9"])))
def test_only_lines_that_begin_with_the_name_count(lines):
    worth = {"a 1": 1.0, 'a{x="y z"} 2': 2.0, "a\t64 9": 64.0}
    counted = [worth[line] for line in lines if line in worth]

    assert sample("\n".join(lines), "a") == (sum(counted) if counted else None)


def test_a_page_of_a_million_empty_lines_is_not_taken_apart():
    page = "\n" * 2**20
    tracemalloc.start()
    try:
        assert sample(page, "a") is None
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**20
    finally:
        tracemalloc.stop()
