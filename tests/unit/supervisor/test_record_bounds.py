"""Whatever servers, engines and clients say, what a supervisor writes stays small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import ExitRecord, Health, Leftover, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.state import journal
from las_jupyter.state.files import read_value
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor import record as record_module
from las_jupyter.supervisor.record import Record
from las_jupyter.supervisor.words import cannot_end

SPEC = LaunchSpec("one", "fake", Mode.NATIVE, "native", ("x",))


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    paths = StatePaths(str(tmp_path), str(tmp_path / "logs"))
    Path(paths.instance("one")).mkdir(parents=True)
    return paths


def test_a_server_that_flaps_for_hours_adds_a_dozen_lines_a_minute(
    paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, minutes = [1000.0], 120
    monkeypatch.setattr(record_module.time, "monotonic", lambda: clock[0])
    record = Record(paths, SPEC, None, lambda _: None)

    for number in range(minutes * 60):
        clock[0] += 1.0
        record.note_health(f"unhealthy: /live answers 500, {number} times in a row")
    clock[0] += 60.0
    record.retry()

    told = journal.replay(paths.events("one"))
    counts = [int(each.reason.split()[0]) for each in told if "more changes within a minute" in each.reason]
    assert len(told) <= minutes * 12
    assert sum(counts) + len(told) - len(counts) == minutes * 60
    assert told[-1].reason.endswith(f"{minutes * 60 - 1} times in a row")


def test_the_journal_stays_within_its_bound_and_keeps_what_was_launched(
    paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "LARGEST", 20_000)
    monkeypatch.setattr(record_module, "shorten", lambda path: journal.shorten(path, 10_000))
    record = Record(paths, SPEC, None, lambda _: None)
    record.note("Launched", ProcessState.STARTING, ProcessState.STARTING, "started", id="4711", token="t", log="/l")

    largest = 0
    for number in range(500):
        record.note("restart", ProcessState.RUNNING, ProcessState.RUNNING, f"again {number}")
        largest = max(largest, os.path.getsize(paths.events("one")))  # noqa: PTH202

    told = journal.replay(paths.events("one"))
    assert largest < 21_000
    assert told[0].data["id"] == "4711"
    assert told[-1].reason == "again 499"


def test_where_it_cannot_be_shortened_this_is_not_tried_at_every_line(
    paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def full(path: str) -> None:
        tried.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_module, "LARGEST", 1000)
    monkeypatch.setattr(record_module, "shorten", full)
    record = Record(paths, SPEC, None, lambda _: None)
    for number in range(400):
        record.note("restart", ProcessState.RUNNING, ProcessState.RUNNING, f"again {number}")

    assert len(tried) == 1
    assert len(journal.replay(paths.events("one"))) == 400


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.characters(exclude_categories=("Cs",)), some.integers(1, 200_000))
def test_no_text_of_others_makes_the_state_large(paths: StatePaths, letter: str, count: int) -> None:
    record = Record(paths, SPEC, None, lambda _: None)
    said = letter * count
    record.change(
        reason=said, health=Health(HealthState.UNHEALTHY, said, said), exit=ExitRecord(1, text=said), warnings=(said,)
    )
    record.warn("log", said)
    record.save()
    record.note("StopRequested", ProcessState.RUNNING, ProcessState.STOPPING, said)

    kept = read_value(paths.state("one"), Snapshot)
    assert kept is not None
    assert kept.health.reason.rstrip("…") == said[: len(kept.health.reason.rstrip("…"))] or letter == "…"
    assert os.path.getsize(paths.state("one")) < 80_000  # noqa: PTH202 - six bytes for a letter at most
    assert len(journal.replay(paths.events("one"))[-1].reason) <= 2001
    os.unlink(paths.events("one"))  # noqa: PTH108


def test_a_thousand_processes_that_cannot_be_ended_are_counted_and_not_listed() -> None:
    left = tuple(Leftover(number, "worker", "waits for the disk") for number in range(1000))

    assert cannot_end(left[:2]).count("worker") == 2
    assert "more" not in cannot_end(left[:2])
    assert len(cannot_end(left)) < 600
    assert cannot_end(left).endswith("and 990 more")
