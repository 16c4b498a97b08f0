"""Logs as a person asks for them: the end, what is newer, what matches, and what comes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, NoSuchInstance
from las_jupyter.core.quantities import parse_duration
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.display.text import LogText
from las_jupyter.display.words import plain_log, short
from las_jupyter.logs.shown import last_state
from las_jupyter.stack.rooms import Manager

TAIL_LINES = 100
_LAST_MOMENT = 1e12


def read_log(
    log: Any, snapshot: Snapshot, *, tail: int | None, since: str | float | None, grep: str | None, now: float
) -> LogText:
    """The lines asked for, the newest last. Raises ``BadRequest`` for a time or a pattern that cannot be read."""
    lines_wanted = TAIL_LINES if tail is None else tail
    if lines_wanted < 0:
        raise BadRequest(f"tail cannot be {tail}.", cause="it is a number of lines")
    pattern = _pattern(grep)
    if since is not None:
        lines = log.since(moment(since, now))
        lines = [line for line in lines if pattern is None or pattern.search(plain_log(line))]
        lines = lines if tail is None else lines[len(lines) - min(len(lines), lines_wanted) :]
    elif grep is not None:
        lines = log.grep(grep, lines_wanted)
    else:
        lines = log.tail(lines_wanted)
    return LogText(lines, path=snapshot.log_path)


def _pattern(grep: str | None) -> re.Pattern[str] | None:
    if grep is None:
        return None
    try:
        return re.compile(grep)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadRequest(
            f"{short(grep)} is not a regular expression.",
            cause=str(error),
            remedy=f"to look for these characters: {word(short(re.escape(grep))[1:-1])}",
        ) from error


def moment(since: object, now: float) -> float:
    """
    Seconds since the epoch meant by ``since``: a number is one already, ``10m`` is that long ago, else an ISO time.

    A time without a zone is local. Raises ``BadRequest``.
    """
    refusal = BadRequest(
        f"since cannot be {short(since)}.", cause="it is a duration or a time", remedy="write 10m or 2026-01-31T14:05"
    )
    if not isinstance(since, str):
        # What is not equal to itself is no number.
        if isinstance(since, int | float) and since == since and abs(since) < _LAST_MOMENT:
            return float(since)
        raise refusal
    try:
        return now - parse_duration(since)
    except ValueError:
        pass
    try:
        return datetime.datetime.fromisoformat(since).timestamp()
    except (ValueError, OverflowError, OSError):
        raise refusal from None


def follow_lines(manager: Manager, name: str, tail: int) -> Iterator[str]:
    """
    The last ``tail`` lines, then whole lines as they come, across restarts, until it has ended or was removed.

    Where it begins is decided now, not when the first line is asked for.
    """
    generation = manager.snapshot(name).generation
    log = manager.log(name, generation)
    return _from(manager, name, generation, log, log.size, log.tail(tail))


def _from(manager: Manager, name: str, generation: int, log: Any, offset: int, before: list[str]) -> Iterator[str]:
    yield from (plain_log(line) for line in before)
    while True:
        yield from _lines(log.follow(offset, stop=lambda at=generation: _over(manager, name, at)))
        current = _generation(manager, name)
        if current is None or current <= generation:
            return
        # One by one: a restart that came right after another must not swallow what was written in between.
        generation, offset = generation + 1, 0
        log = manager.log(name, generation)


def _generation(manager: Manager, name: str) -> int | None:
    try:
        return manager.snapshot(name).generation
    except NoSuchInstance:
        return None


def _over(manager: Manager, name: str, generation: int) -> bool:
    try:
        snapshot = manager.snapshot(name)
    except NoSuchInstance:
        return True
    return snapshot.generation != generation or not snapshot.state.alive


def _lines(chunks: Iterator[Any]) -> Iterator[str]:
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + chunk.text).split("\n")
        yield from (plain_log(last_state(line)) for line in whole)
    if rest:
        yield plain_log(last_state(rest))
