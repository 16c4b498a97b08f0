"""The shorter tables: modules, settings, events, health."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from las_jupyter.core.advice import word
from las_jupyter.core.quantities import format_duration, format_size
from las_jupyter.core.snapshot import EventRecord, Snapshot
from las_jupyter.display.status import paint_light
from las_jupyter.display.table import Table
from las_jupyter.display.words import ago, clock, health_words, one_line, why

_SIZES = ("logs.start_bytes", "logs.total_bytes", "limits.memory")
_TIMES = ("restart.first", "restart.cap", "restart.reset_after")


def modules_table(rows: Sequence[Any], *, notes: tuple[str, ...] = ()) -> Table[Any]:
    """What can be started: each with its modes, where it comes from, and what stands in the way."""
    cells = [
        (row.name, row.version, ", ".join(row.modes), row.category, row.origin, _can_start(row), row.description)
        for row in rows
    ]
    columns = ("module", "version", "modes", "category", "from", "can start", "description")
    return Table(
        columns,
        [(*cell[:-1], one_line(cell[-1], 80)) for cell in cells],
        rows,
        empty="The catalog is empty.",
        notes=notes,
        advice=("can start",),
    )


def _can_start(row: Any) -> str:
    return row.note or ", ".join(row.ways) or f"not installed here: %las plan {word(row.name)}"


def trusted_table(rows: Sequence[Any]) -> Table[Any]:
    """What was trusted, what that allows, and whether it still is what was trusted."""
    cells = [(row.path, row.allows, f"■ no: {one_line(row.lost)}" if row.lost else "● yes") for row in rows]
    notes = ("%las trust FILE --revoke takes it back.",) if rows else ()
    return Table(
        ("file", "it may", "as it was trusted"),
        cells,
        rows,
        empty="Nothing is trusted beside what comes with las_jupyter. Trust a file with: %las trust FILE",
        notes=notes,
    )


def settings_table(rows: Sequence[Any], notes: tuple[str, ...] = ()) -> Table[Any]:
    """Every setting with its value and its source."""
    shown = [(row.key, _setting(row), row.source) for row in rows]
    return Table(("setting", "value", "from"), shown, rows, notes=notes)


def _setting(row: Any) -> str:
    """Sizes and times with their units; a setting that nobody set says so."""
    if row.value == "None":
        return "not set"
    if row.key in _SIZES and row.value.isdigit():
        return format_size(int(row.value))
    if row.key in _TIMES:
        return format_duration(float(row.value))
    return str(row.value)


def events_table(events: Sequence[EventRecord]) -> Table[EventRecord]:
    """What happened, oldest first."""
    rows = [
        (
            clock(each.at),
            str(each.generation),
            _in_words(each.event),
            _move(each.before, each.after),
            one_line(each.reason),
        )
        for each in events
    ]
    return Table(("when", "start", "event", "state", "reason"), rows, events, empty="Nothing happened yet.")


def _in_words(event: str) -> str:
    """``BecameReady`` as the journal names it, as a person reads it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event).lower()


def _move(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}" if before else after


def health_table(snapshots: Sequence[Snapshot], *, now: float) -> Table[Snapshot]:
    """The light of each instance with its reason and the age of the belief."""
    rows = [
        (
            each.name,
            health_words(each),
            each.state.value,
            why(each),
            ago(now - each.health.at) if each.health.at else "",
        )
        for each in snapshots
    ]
    return Table(
        ("name", "health", "state", "reason", "asked"),
        rows,
        snapshots,
        empty="No instance is known here.",
        paint=paint_light,
    )


def findings_table(findings: Sequence[Any]) -> Table[Any]:
    """What the doctor found: the good, the missing, and what could not be told."""
    marks = {True: "● good", False: "■ wrong", None: "– not here"}
    rows = [(each.subject, marks[each.good], each.says, each.cure) for each in findings]
    wrong = sum(each.good is False for each in findings)
    note = "Nothing is wrong." if not wrong else f"{wrong} of {len(rows)} are wrong; the last column cures them."
    return Table(("what", "how it is", "found", "cure"), rows, findings, notes=(note,), advice=("cure",))
