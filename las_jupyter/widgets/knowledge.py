"""What is known of each instance beside its snapshot: its decisions, what it used lately, and why it failed."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import ProcessState
from las_jupyter.runtime.explain import explain
from las_jupyter.widgets.source import PanelSource
from las_jupyter.widgets.wire import Used

HISTORY = 120
"""Points of a sparkline."""
MEASURE_EVERY = 2.0
SLOW = 0.5
SPARE_FOR = 20.0
"""Seconds for which one that answered slowly is not asked again: it would hold up every panel."""


class Explained(NamedTuple):
    """Why a start failed and the next step, where somebody can tell."""

    cause: str | None = None
    remedy: str | None = None


class _Series:
    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.memory: deque[int] = deque(maxlen=HISTORY)
        self.cpu: deque[float] = deque(maxlen=HISTORY)
        self.vram: int | None = None
        self.before: tuple[float, float] | None = None


class Knowledge:
    """Asked once for a start and kept; usage is measured while somebody looks."""

    def __init__(self, source: PanelSource) -> None:
        self._source = source
        self._specs: dict[tuple[str, int], LaunchSpec] = {}
        self._failures: dict[tuple[str, int], Explained] = {}
        self._series: dict[str, _Series] = {}
        self._spared: dict[str, float] = {}
        self._measure_at = 0.0

    def of(self, snapshot: Snapshot) -> tuple[LaunchSpec | None, Used, Explained]:
        """All of it, as ``wire.card`` takes it."""
        return self._spec(snapshot), self._used(snapshot), self._explained(snapshot)

    def measure(self, snapshots: tuple[Snapshot, ...], now: float) -> None:
        """Ask what each running instance uses, when it is time."""
        if now < self._measure_at:
            return
        self._measure_at = now + MEASURE_EVERY
        names = {each.name for each in snapshots}
        for gone in set(self._series) - names:
            del self._series[gone]
        for snapshot in snapshots:
            if snapshot.state.alive:
                self._measure_one(snapshot)

    def _measure_one(self, snapshot: Snapshot) -> None:
        if time.monotonic() < self._spared.get(snapshot.name, 0.0):
            return
        began = time.monotonic()
        usage = self._source.usage(snapshot.name)
        if time.monotonic() - began > SLOW:
            self._spared[snapshot.name] = time.monotonic() + SPARE_FOR
        series = self._series.get(snapshot.name)
        if series is None or series.generation != snapshot.generation:
            series = self._series[snapshot.name] = _Series(snapshot.generation)
        if usage is None:
            series.before = None
            return
        series.memory.append(usage.memory)
        series.vram = usage.vram
        if series.before and usage.at > series.before[0]:
            # A process that ended takes its time with it: less than nothing was not used.
            used = max(0.0, usage.cpu_seconds - series.before[1]) / (usage.at - series.before[0])
            series.cpu.append(round(used, 2))
        series.before = (usage.at, usage.cpu_seconds)

    def _used(self, snapshot: Snapshot) -> Used:
        series = self._series.get(snapshot.name)
        if series is None or not snapshot.state.alive or series.generation != snapshot.generation:
            return Used()
        return Used(tuple(series.memory), tuple(series.cpu), series.vram)

    def _spec(self, snapshot: Snapshot) -> LaunchSpec | None:
        key = (snapshot.name, snapshot.generation)
        if key not in self._specs:
            try:
                self._specs[key] = self._source.spec(snapshot.name)
            except (LasError, ValueError, OSError):
                return None
        return self._specs[key]

    def _explained(self, snapshot: Snapshot) -> Explained:
        key = (snapshot.name, snapshot.generation)
        if snapshot.state is not ProcessState.FAILED:
            return Explained()
        if key not in self._failures:
            spec = self._spec(snapshot)
            try:
                error = explain(spec, snapshot, self._source.log_reader(snapshot.name)) if spec else None
            except (LasError, ValueError, OSError):
                error = None
            self._failures[key] = Explained(error.cause, error.remedy) if error else Explained()
        return self._failures[key]
