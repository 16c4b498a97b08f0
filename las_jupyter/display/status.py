"""Instances as a table, as one line and as a static card."""

from __future__ import annotations

from collections.abc import Sequence

from las_jupyter.core import enforcement
from las_jupyter.core.light import light
from las_jupyter.core.quantities import format_duration, format_size
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.display import html
from las_jupyter.display.table import Table
from las_jupyter.display.words import SHAPES, ago, clock, health_words, one_line, why

COLUMNS = ("name", "module", "mode", "state", "health", "url", "uptime", "memory", "limits", "reason")


def status_table(snapshots: Sequence[Snapshot], *, now: float, notes: tuple[str, ...] = ()) -> Table[Snapshot]:
    """One row an instance, in the order given."""
    return Table(
        COLUMNS,
        [_row(snapshot, now) for snapshot in snapshots],
        snapshots,
        empty="No instance is known here. Start one with: %las start llama.cpp",
        notes=notes + tuple(f"{s.name}: {one_line(text)}" for s in snapshots for text in _remarks(s)),
        paint=paint_light,
    )


def _row(snapshot: Snapshot, now: float) -> tuple[str, ...]:
    return (
        snapshot.name,
        snapshot.module,
        snapshot.mode.value,
        snapshot.state.value + (f" ({snapshot.restarts} restarts)" if snapshot.restarts else ""),
        health_words(snapshot),
        (snapshot.url or "") if snapshot.state.alive else "",
        uptime(snapshot, now),
        memory_words(snapshot),
        limit_words(snapshot),
        why(snapshot),
    )


def uptime(snapshot: Snapshot, now: float) -> str:
    """How long it has run, or how long ago it ended."""
    if snapshot.state.alive:
        return format_duration(max(0.0, now - snapshot.started_at)) if snapshot.started_at else ""
    ended = snapshot.exit.at if snapshot.exit else None
    return f"ended {ago(now - (ended or snapshot.changed_at))}" if ended or snapshot.changed_at else ""


def memory_words(snapshot: Snapshot) -> str:
    """What its tree uses now, and of GPU memory where that can be told."""
    if snapshot.usage is None or not snapshot.state.alive:
        return ""
    vram = f" + {format_size(snapshot.usage.vram)} GPU" if snapshot.usage.vram is not None else ""
    return format_size(snapshot.usage.memory) + vram


def limit_words(snapshot: Snapshot) -> str:
    """How each limit asked for is kept, as ``memory 2.0 GiB enforced by cgroup v2``."""
    return "; ".join(enforcement.limit_words(snapshot.limits, snapshot.enforcement))


def _remarks(snapshot: Snapshot) -> list[str]:
    told = list(snapshot.warnings)
    if snapshot.state.alive and not snapshot.supervised:
        told.append("its supervisor is gone; the server itself was not touched")
    told.extend(f"process {left.pid} ({left.name}) is left over: {left.why}" for left in snapshot.leftovers)
    return told


def paint_light(column: str, cell: str) -> html.Markup | None:
    """The colour of a cell in a health column."""
    word = cell[2:].split(":", 1)[0]
    if column == "health" and word in SHAPES:
        return html.coloured(word, cell)
    return None


def instance_line(snapshot: Snapshot) -> str:
    """One instance on one line, always with the same fields in the same order."""
    url = snapshot.url or "no url"
    return f"<{snapshot.name}: {snapshot.module}, {snapshot.mode}, {snapshot.state}, {light(snapshot)}, {url}>"


def instance_card(snapshot: Snapshot, *, now: float) -> str:
    """A static card without script: true at ``now``, and still readable in a saved notebook."""
    word = light(snapshot)
    facts = [
        ("module", snapshot.module + (f" · {snapshot.model}" if snapshot.model else "")),
        ("state", f"{snapshot.state.value}: {why(snapshot)}"),
        ("url", snapshot.url or ""),
        ("mode", snapshot.mode.value + (f" · pid {snapshot.pid}" if snapshot.pid else "")),
        ("image", snapshot.image or ""),
        ("log", snapshot.log_path),
        ("ended", snapshot.exit.text if snapshot.exit and not snapshot.state.alive else ""),
    ]
    head = html.tag("div", html.coloured(word, f"{SHAPES[word]} {word}"), html.tag("b", f"  {snapshot.name}"))
    rows = [(name, one_line(text)) for name, text in facts if text]
    foot = html.tag("div", f"as of {clock(now)}", style="color:#616161;font-size:85%")
    return html.tag("div", head, html.grid(("", ""), list(rows)), foot, class_="las-card")
