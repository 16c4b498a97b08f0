"""A key is hidden whatever stands between its letters, however it is written, and also when it is only most of it."""

from __future__ import annotations

import base64
import html
import json
import unicodedata
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.unseen import FORMATS, JOINERS
from las_jupyter.display.words import plain_log
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.shown import HIDDEN, Shown

KEY = "nB3xq-Zt7_LmW0pRk9vYc2HdS5uJ8aFgE1oQiTzXw4C"
KEYS = st.text(
    st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"), min_size=24, max_size=60
)
MARKS = [chr(number) for number in range(0x300, 0x370)]
UNSEEN = [*(chr(number) for first, last in FORMATS for number in {first, last}), *MARKS[:9], "\x1b[31m", "\x07", "\x85"]
BETWEEN = st.sampled_from(UNSEEN) | st.characters(min_codepoint=0xA0, exclude_categories=["Cs"])


def shown(text: str, key: str = KEY) -> str:
    return Shown((key,)).text(text.encode(errors="surrogatepass"))


def letters(text: str) -> str:
    """What a person can read of it: no marks, nothing invisible."""
    return "".join(each for each in plain_log(text) if unicodedata.category(each) not in ("Mn", "Me", "Cf"))


@pytest.mark.parametrize(
    "between",
    ["\u00ad", "\u2062", "\u034f", "\u180e", "\u061c", "\U000e0041", "\u200b", "\u0301", "\u20dd", "\ufe0f", "\u3164",
     "\u115f", "\uffa0", "\u0600", "\U0001d173", "\u202e", "\x1b[0m", "\x1b]8;;x\x07", "\x00", "\x7f", "\u2028"],
)  # fmt: skip
def test_nothing_put_between_the_letters_of_a_key_shows_it(between: str) -> None:
    assert KEY not in letters(shown(f"key {between.join(KEY)} end"))


@given(
    key=KEYS,
    inserted=st.lists(st.tuples(st.integers(0, 60), BETWEEN), max_size=12),
)
def test_a_key_with_anything_but_ascii_in_it_is_hidden(key: str, inserted: list[tuple[int, str]]) -> None:
    written = key
    for at, between in inserted:
        written = written[:at] + between + written[at:]

    left = letters(shown(f"a {written} b", key))

    assert key not in "".join(each for each in left if each.isascii())
    assert left.startswith("a ")
    assert left.endswith(" b")


WRITTEN: list[Callable[[str], str]] = [
    lambda key: key[:-1],
    lambda key: key[1:],
    lambda key: key[:36],
    lambda key: key[3:-3],
    str.upper,
    str.lower,
    str.swapcase,
    lambda key: key.encode().hex(),
    lambda key: key.encode().hex().upper(),
    lambda key: base64.b64encode(key.encode()).decode(),
    lambda key: base64.urlsafe_b64encode(b"user:" + key.encode()).decode().rstrip("="),
    lambda key: base64.b64encode(b"ab:" + key.encode() + b"!").decode(),
    lambda key: "".join(f"%{ord(each):02x}" for each in key),
    lambda key: "".join(f"\\u{ord(each):04x}" for each in key[:-1]),
    lambda key: "".join(f"&#{ord(each)};" for each in key),
    lambda key: "".join(f"&#x{ord(each):X};" for each in key),
    "x\b".join,
    "xyz\b\b\b".join,
    lambda key: f"{key[:20]}\r{key[20:]}",
    lambda key: urllib.parse.quote(f"http://h/?key={key}"),
    lambda key: json.dumps({"key": key}),
    lambda key: html.escape(f"<{key}>"),
]


@pytest.mark.parametrize("write", WRITTEN)
def test_a_key_is_hidden_however_it_is_written(write: Callable[[str], str]) -> None:
    told = shown(f"before {write(KEY)} after")

    assert HIDDEN in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert not any(KEY[at : at + 12].lower() in told.lower() for at in range(len(KEY) - 12))


@given(key=KEYS, cut=st.integers(0, 60), length=st.integers(1, 60))
def test_most_of_a_key_is_the_key_and_a_little_of_it_is_not(key: str, cut: int, length: int) -> None:
    part = key[cut : cut + length]

    told = shown(f"a {part} b", key)

    assert (part in told) is (len(part) < int(len(key) * 0.8)) or part in "a b" or part.lower() in "hidden"


@given(key=KEYS, at=st.integers(1, 60), block=st.integers(1, 50))
def test_a_key_cut_by_the_edges_of_what_is_read_is_hidden(
    tmp_path_factory: pytest.TempPathFactory, key: str, at: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_text(f"{'x ' * at}{key} end\n")
    log, offset, text = LogReader(str(path), (key,)), 0, ""

    while (chunk := log.read(offset, block)).next_offset > offset:
        offset, text = chunk.next_offset, text + chunk.text

    assert key not in text
    assert text.endswith(" end\n")


def test_a_short_password_hides_itself_and_no_word_that_looks_like_it() -> None:
    assert shown("Secret secret secre", "secret") == f"Secret {HIDDEN} secre"


@pytest.mark.parametrize("text", ["é日本語 ▁▂▃ n\u0303", "👩‍👩‍👧 ❤️ می‌خواهم", "\x1b[32mINFO\x1b[0m 50% \\o/ a&b %zz"])
def test_what_holds_no_key_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text
    assert all(joiner in "".join(map(chr, range(0x200C, 0xFE10))) for joiner in JOINERS)


def test_an_emoji_beside_a_key_stays(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(f"👩‍👧 {KEY} ❤️\u202e\n")

    assert [plain_log(line) for line in LogReader(str(path), (KEY,)).tail(1)] == [f"👩‍👧 {HIDDEN} ❤️"]
