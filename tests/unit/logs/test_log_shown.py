"""What of a log is shown: never a secret, however it is written or interrupted, and never a command to a terminal."""

from __future__ import annotations

import json
import os
import re
import tempfile
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.display.words import plain
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.shown import HIDDEN, Shown, fewer_states

SECRETS = st.text(
    st.characters(codec="utf-8", min_codepoint=33, exclude_categories=("C", "Z")), min_size=6, max_size=30
)
CONTROLS = st.sampled_from(
    ["\x1b[31m", "\x1b[0m", "\x1b[2K", "\x1b(B", "\x1b]0;title\x07", "\x1b]8;;x\x1b\\", "\x1bPq\x1b\\", "\x1b_a\x1b\\",
     "\x1b^p\x1b\\", "\x1bXs\x1b\\", "\x00", "\x07", "\x08", "\x7f", "\x9b31m", "\x85", "\r", "\u202e", "\u200b"]
)  # fmt: skip


@given(secret=SECRETS, inserted=st.lists(st.tuples(st.integers(0, 30), CONTROLS), max_size=8), cut=st.integers(1, 60))
def test_no_control_put_into_a_secret_shows_it(secret: str, inserted: list[tuple[int, str]], cut: int):
    written = secret
    for at, control in inserted:
        written = written[:at] + control + written[at:]
    data = f"key={written} end\n".encode()

    assert secret not in plain(Shown((secret,)).text(data))
    fd, path = tempfile.mkstemp()
    try:
        os.write(fd, data)
        os.close(fd)
        log, offset, text = LogReader(path, (secret,)), 0, ""
        while (chunk := log.read(offset, cut)).next_offset > offset:
            offset, text = chunk.next_offset, text + chunk.text
        assert secret not in plain(text)
    finally:
        os.unlink(path)


@given(data=st.binary(max_size=60))
def test_nothing_shown_commands_a_terminal_but_colours(data: bytes):
    left = Shown().text(data)
    left = re.sub(r"\x1b\[[0-9;:]*m", "", left)

    assert not [each for each in left if (each < " " and each not in "\t\n\r") or "\x7f" <= each <= "\x9f"]


@pytest.mark.parametrize(
    "spelled",
    [
        urllib.parse.quote, urllib.parse.quote_plus, lambda text: urllib.parse.quote(text, safe="").lower(),
        lambda text: json.dumps(text)[1:-1], lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: "".join(f"\\u{ord(each):04X}" for each in text), lambda text: text.replace("/", "\\/"),
    ],
)  # fmt: skip
def test_a_secret_is_hidden_however_it_is_encoded(spelled):
    secret = 'pä"ss/wo\\rd+ =%'

    assert Shown((secret,)).text(f"x {spelled(secret)} y".encode()) == f"x {HIDDEN} y"


@pytest.mark.parametrize(
    "line",
    [
        "bearer {}", "BEARER {}", "Authorization: Bearer {}", "authorization={}", "'authorization': 'Basic {}'",
        '{{"Authorization":"Token {}"}}', "x-api-key: {}", "API_KEY={}", "Authorization: {}",
    ],
)  # fmt: skip
def test_a_credential_nobody_told_us_is_hidden(line: str):
    assert "dXNlcjpwYXNz" not in Shown().text(line.format("dXNlcjpwYXNz").encode())


def test_words_about_credentials_are_shown():
    line = "bearer authentication is on; authorization failed"

    assert Shown().text(line.encode()) == line


def test_the_longest_of_two_secrets_is_hidden_whole():
    assert Shown(("secret", "secretlonger")).text(b"a secretlonger b secret") == f"a {HIDDEN} b {HIDDEN}"


def test_a_secret_across_the_cut_of_a_line_is_hidden(tmp_path: Path):
    path = tmp_path / "log"
    for before in range(16 * 1024 - 20, 16 * 1024 + 5):
        path.write_bytes(b"x" * before + b"topsecretvalue" + b"y" * 20_000 + b"\n")
        log = LogReader(str(path), ("topsecretvalue",))
        for lines in (log.tail(1), list(log.lines()), log.grep("x")):
            assert "topse" not in lines[0]


def test_a_pattern_cannot_guess_what_is_hidden(tmp_path: Path):
    path = tmp_path / "log"
    path.write_text("key=topsecretvalue\n")
    log = LogReader(str(path), ("topsecretvalue",))

    for guess in ("tops", "key=t", "^key=[a-z]", "(?i)TOPSEC", "^(?!.*tops).*x"):
        assert log.grep(guess) == []
    assert log.grep("^(?!.*tops)") == log.grep("hidden") == log.grep("key=") == [f"key={HIDDEN}"]


def test_progress_is_shown_in_its_last_state(tmp_path: Path):
    path = tmp_path / "log"
    path.write_bytes(b"10%\r50%\r99%\r\nplain\r\n")

    assert LogReader(str(path)).tail(2) == ["99%", "plain"]
    assert fewer_states("a\rb\rc\rd\nx\r\n") == "\rc\rd\nx\r\n"
