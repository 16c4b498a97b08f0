"""Looking through what a module writes, with patterns and lines that are both strangers'."""

from __future__ import annotations

import time
from pathlib import Path

from las_jupyter.logs.scan import LONGEST_LINE, Scanner

SLOW_ENOUGH = "a.*a!"
"""It passes the check, and on a line of many a it is as slow as one may be."""


def log_of(tmp_path: Path, data: bytes) -> str:
    log = tmp_path / "x.log"
    log.write_bytes(data)
    return str(log)


def test_a_pattern_without_bound_of_an_older_spec_holds_nobody_up(tmp_path: Path) -> None:
    scanner = Scanner(log_of(tmp_path, b"a" * 60 + b"!\nready\n"), ("(a+)+$", "ready"))

    begun = time.monotonic()
    assert not scanner.seen("(a*)*$")
    assert scanner.seen("ready")
    assert time.monotonic() - begun < 5


def test_only_the_beginning_of_a_line_is_searched(tmp_path: Path) -> None:
    scanner = Scanner(log_of(tmp_path, b"x" * LONGEST_LINE + b"ready\n" + b"y" * 50 + b"done\n"))

    assert not scanner.seen("ready")
    assert scanner.seen("done")


def test_a_line_without_an_end_is_kept_no_longer_than_it_is_searched(tmp_path: Path) -> None:
    log = Path(log_of(tmp_path, b"beginning "))
    scanner = Scanner(str(log))
    assert not scanner.seen("nothing")

    with log.open("ab") as file:
        file.write(b"x" * 3 * LONGEST_LINE + b"late")
    assert not scanner.seen("late")
    with log.open("ab") as file:
        file.write(b" and more\nnext\n")
    assert scanner.seen("^next")
    assert scanner.seen("^beginning")
    assert not scanner.seen("^late|more")


def test_each_state_of_a_progress_bar_is_a_line(tmp_path: Path) -> None:
    bar = b"\r".join(b"loading %3d %%" % percent + b"." * 40 for percent in range(101))

    assert Scanner(log_of(tmp_path, bar)).seen("^loading 100 %")


def test_a_look_ends_after_a_while_and_goes_on_at_the_next(tmp_path: Path) -> None:
    scanner = Scanner(log_of(tmp_path, (b"a" * LONGEST_LINE + b"\n") * 600 + b"ready\n"), (SLOW_ENOUGH, "ready"))

    begun = time.monotonic()
    assert scanner.advance()
    first = time.monotonic() - begun
    assert scanner.latest is None

    deadline = time.monotonic() + 60
    while scanner.advance():
        assert time.monotonic() < deadline
    assert first < 1
    assert scanner.latest == "ready"
    assert scanner.last_line == b"ready"


def test_catching_up_with_a_flood_is_given_up(tmp_path: Path) -> None:
    scanner = Scanner(log_of(tmp_path, (b"a" * LONGEST_LINE + b"\n") * 2000), (SLOW_ENOUGH,))

    begun = time.monotonic()
    scanner.catch_up(0.1)

    assert time.monotonic() - begun < 2
