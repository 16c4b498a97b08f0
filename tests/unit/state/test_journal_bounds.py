"""The journal is kept small, and a successor rebuilds the same state from it as from all that was dropped."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import EventRecord
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.core.wire import to_line
from las_jupyter.state import journal
from las_jupyter.supervisor import main

SPEC = LaunchSpec("one", "fake", Mode.NATIVE, "native", ("x",))
STATES = [str(state.value) for state in ProcessState]
EVENTS = ["start requested", "Launched", "BecameReady", "MainEnded", "StopRequested", "RestartRequested", "Stalled",
          "LimitBroken", "NothingLeft", "WaitOver", "supervision restored", "overridden"]  # fmt: skip


def line(
    number: int, event: str = "health", state: str = "running", reason: str = "unhealthy: no answer in time"
) -> EventRecord:
    return EventRecord(1.8e9 + number, event, state, state, reason, 1)


def write(path: Path, records: list[EventRecord]) -> None:
    path.write_bytes(b"".join(to_line(record) for record in records))


@some.composite
def histories(draw: some.DrawFn) -> list[EventRecord]:
    """Starts, ends and restarts in any order, amid much health, as one instance could have left them."""
    records, generation = [], 1
    for number in range(draw(some.integers(1, 25))):
        generation += draw(some.integers(0, 1))
        event = draw(some.sampled_from(EVENTS))
        data = {"id": str(draw(some.integers(2, 9999))), "token": "t", "log": "/l"} if event == "Launched" else {}
        records.append(
            EventRecord(
                1.8e9 + number, event, draw(some.sampled_from(STATES)), draw(some.sampled_from(STATES)),
                draw(some.text(max_size=20)), generation, data,
            )
        )  # fmt: skip
        records += [line(number)] * draw(some.integers(0, 4))
    return records


def what_a_successor_knows(path: Path) -> object:
    """All that ``supervise`` reads out of a journal."""
    records = journal.replay(str(path))
    before = main._rebuilt(SPEC, records)
    endings = [each.event for each in records if each.event in main._ENDINGS and not main._follows_an_ending(each)]
    return before, main._ref(before, records) if before else None, endings[-1:]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), keep=some.integers(200, 2000), again=some.booleans())
def test_a_shortened_journal_rebuilds_the_same_state(
    tmp_path: Path, history: list[EventRecord], keep: int, again: bool
) -> None:
    path = tmp_path / "events.jsonl"
    write(path, history)
    expected = what_a_successor_knows(path)

    journal.shorten(str(path), keep)
    if again:
        journal.shorten(str(path), keep // 2)

    assert what_a_successor_knows(path) == expected


def test_what_was_dropped_is_counted_over_all_times_and_the_newest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    history = [line(0, "start requested", "starting"), line(1, "Launched"), *(line(n) for n in range(2, 2000))]
    write(path, history)
    size_of_one = len(to_line(history[5]))

    journal.shorten(str(path), 1000 * size_of_one)
    journal.shorten(str(path), 100 * size_of_one)

    first, counted, *others = journal.replay(str(path))
    assert (first, others) == (history[0], [history[1], *history[-100:]])
    assert counted.event == journal.DROPPED
    assert int(counted.data["events"]) == len(history) - 2 - 100


def test_a_shortened_journal_is_private_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [line(0, "Launched"), *(line(n) for n in range(1, 500))])

    journal.shorten(str(path), 1000)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 3000
    assert [each.name for each in tmp_path.iterdir()] == ["events.jsonl"]


def test_a_journal_that_cannot_be_shortened_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [line(n) for n in range(500)])
    before = path.read_bytes()
    monkeypatch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(OSError, match="No space"):
        journal.shorten(str(path), 1000)

    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["events.jsonl"]


def test_a_reader_always_sees_a_whole_journal(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [line(0, "Launched")])
    done = threading.Event()

    def keep_writing() -> None:
        for number in range(1, 400):
            if journal.append(str(path), line(number)) > 8000:
                journal.shorten(str(path), 4000)
        done.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    while not done.is_set():
        seen = journal.replay(str(path))
        newest = [each.at for each in seen if each.event == "health"]
        assert seen[0].event == "Launched"
        assert newest == sorted(newest)
    writer.join()

    assert journal.replay(str(path))[-1] == line(399)


JUNK = {
    "empty lines": b"\n" * 1000,
    "no records": b"{}\n" * 500,
    "no text": b"\xff\xfe\n" * 500,
    "deep": b"[" * 3000 + b"\n",
    "torn": b'{"event":"health"\n' * 100,
    "one endless line": b"x" * 9000,
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_damaged_lines_are_dropped_and_hinder_nothing(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(to_line(line(0, "Launched")) + junk + b"\n" + b"".join(to_line(line(n)) for n in range(1, 50)))

    journal.shorten(str(path), 2000)

    found = journal.replay(str(path))
    assert found[0] == line(0, "Launched")
    assert found[-1] == line(49)


def test_kinds_that_no_version_knows_do_not_fill_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [line(n, f"odd {n}") for n in range(5000)])

    journal.shorten(str(path), 1000)

    assert len(journal.replay(str(path))) < 200


def test_of_a_journal_beyond_all_bounds_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: a terabyte that takes no room
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + to_line(line(7)))

    assert journal.replay(str(path)) == (line(7),)


def test_a_journal_that_is_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    os.mkfifo(path)

    assert journal.replay(str(path)) == ()
