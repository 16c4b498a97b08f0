"""One table of what cannot be seen, and nothing of it is shown in a sentence, a cell of a table or JSON."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import LasError
from las_jupyter.core.unseen import FORMATS, JOINERS, escaped, in_line, seen
from las_jupyter.display.words import one_line, plain_log

IGNORABLE = {0x00AD, 0x034F, 0x061C, 0x115F, 0x17B4, 0x180B, 0x200B, 0x200F, 0x202E, 0x2066, 0x3164, 0xFE0F, 0xFEFF,
             0xFFA0, 0x1D173, 0xE0001, 0xE0041, 0xE0FFF}  # fmt: skip
LETTERS = [chr(number) for number in range(0x110000)]
UNSEEN = [each for each in LETTERS if unicodedata.category(each) in ("Cf", "Zl", "Zp", "Cc") and each not in "\t\n"]


def test_everything_that_unicode_calls_a_format_a_control_or_ignorable_is_gone() -> None:
    left = {each for each in {*UNSEEN, *map(chr, IGNORABLE)} if seen(each).strip()}

    assert not left


def test_what_can_be_seen_stays() -> None:
    told = "straße – 日本語 ~ naïve n\u0303 ελληνικά עברית\ttab\nline 👍"

    assert seen(told) == told


@pytest.mark.parametrize("emoji", ["👩‍👩‍👧", "❤️", "می‌خواهم"])
def test_a_log_keeps_what_joins_letters_and_emoji(emoji: str) -> None:
    assert plain_log(f"{emoji}\u202e!") == f"{emoji}!"
    assert all(any(first <= ord(each) <= last for first, last in FORMATS) for each in JOINERS)


@given(st.text() | st.lists(st.sampled_from(UNSEEN) | st.characters(), max_size=20).map("".join))
def test_no_part_of_an_error_has_a_second_line_or_anything_unseen(text: str) -> None:
    error = LasError(text, cause=text, remedy=f"%las {text}", details=(text, text))

    assert all(line == in_line(line) and len(line.splitlines()) == 1 for line in error.lines())
    assert one_line(text) == in_line(one_line(text))


@given(st.lists(st.sampled_from(UNSEEN) | st.characters(exclude_categories=["Cs"]), max_size=20).map("".join))
def test_json_says_the_same_and_shows_nothing_unseen(text: str) -> None:
    written = escaped(json.dumps({"text": text}, ensure_ascii=False))

    assert json.loads(written) == {"text": text}
    assert seen(written) == written or "\x7f" in text
