"""
What is known of the instance, and telling it: ``state.json``, ``events.jsonl``, the sockets of those who listen.

A full disk stops none of it: what could not be written is kept here, told over the socket, and written later.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import Any

import las_jupyter
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import EventRecord, Snapshot
from las_jupyter.core.states import ProcessState
from las_jupyter.core.wire import to_data, to_line
from las_jupyter.health import telling
from las_jupyter.limits.tree import boot_id, read_process
from las_jupyter.state.files import overwrite, write_atomic
from las_jupyter.state.journal import LARGEST, append, shorten
from las_jupyter.state.paths import StatePaths

_MOST_UNWRITTEN = 200
_LONGEST_TEXT = 2000
"""Characters of one reason. Servers, engines and clients say what they like; it is written at every change."""

_SHORTEN_AGAIN = 64 * 1024  # bytes: where it cannot be shortened, it is not tried at every line


class Record:
    """The one writer of an instance's state. ``publish`` gets every change as JSON data."""

    def __init__(
        self, paths: StatePaths, spec: LaunchSpec, before: Snapshot | None, publish: Callable[[dict[str, Any]], None]
    ) -> None:
        self._paths, self._name, self._publish = paths, spec.name, publish
        self.snapshot = _first(spec, before)
        self._warnings: dict[str, str] = {}
        self._unwritten: list[EventRecord] = []
        self._shorten_at = LARGEST
        self._told = telling.Told()
        self.unsaved: str | None = None

    def change(self, **fields: Any) -> None:
        """Put new values into the snapshot; ``save`` tells them."""
        self.snapshot = _bounded(self.snapshot._replace(**fields))

    def warn(self, subject: str, text: str | None) -> bool:
        """Say, or with None no longer say, a warning; whether that is news."""
        if self._warnings.get(subject) == text:
            return False
        if text is None:
            self._warnings.pop(subject, None)
        else:
            self._warnings[subject] = text
        self.change(warnings=tuple(self._warnings.values()))
        return True

    def note(self, event: str, before: ProcessState, after: ProcessState, reason: str, **data: str) -> None:
        """Append one line to the journal and tell the listeners."""
        record = EventRecord(time.time(), event, before, after, short(reason), self.snapshot.generation, data)
        self._unwritten.append(record)
        del self._unwritten[:-_MOST_UNWRITTEN]
        self._write_events()
        self._publish({"event": to_data(record)})

    def note_health(self, text: str) -> None:
        """Append a change of health to the journal, unless the last minute was full of them."""
        self._told, lines = telling.change(self._told, text, time.monotonic())
        self._note_lines(lines)

    def _note_lines(self, lines: list[str]) -> None:
        for line in lines:
            self.note("health", self.snapshot.state, self.snapshot.state, line)

    def _write_events(self) -> None:
        path, size = self._paths.events(self._name), 0
        try:
            while self._unwritten:
                size = append(path, self._unwritten[0])
                del self._unwritten[0]
            if size > self._shorten_at:
                self._shorten_at = size + _SHORTEN_AGAIN
                shorten(path)
                self._shorten_at = LARGEST
        except OSError:
            pass  # kept; the next one, or the housekeeping, tries again

    def save(self, *, quietly: bool = False) -> None:
        """Replace ``state.json``; the last state of all waits until it would survive a power cut."""
        problem = self._write()
        word = None if problem is None else f"the state cannot be written: {problem}"
        if self.warn("state", word) and problem is None:
            self._write()
        self.unsaved = problem
        if not quietly:
            self._publish({"snapshot": to_data(self.snapshot)})

    def retry(self) -> None:
        """Write what could not be written before, and tell what was not told."""
        self._told, lines = telling.settle(self._told, time.monotonic())
        self._note_lines(lines)
        if self._unwritten:
            self._write_events()
        if self.unsaved is not None:
            self.save()

    def _write(self) -> str | None:
        path = self._paths.state(self._name)
        data = to_line(self.snapshot)
        try:
            write_atomic(path, data, sync=not self.snapshot.state.alive)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                # A new file needs room, the old one's blocks are there. A reader that meets half of it asks us.
                overwrite(path, data)
            return os.strerror(error.errno or errno.EIO)
        return None


def short(text: str) -> str:
    """``text``, or its beginning where it is longer than anybody reads."""
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def _bounded(snapshot: Snapshot) -> Snapshot:
    health, phase = snapshot.health, snapshot.health.phase
    return snapshot._replace(
        reason=short(snapshot.reason),
        health=health._replace(reason=short(health.reason), phase=phase and short(phase)),
        warnings=tuple(short(warning) for warning in snapshot.warnings),
        exit=snapshot.exit and snapshot.exit._replace(text=short(snapshot.exit.text)),
    )


def _url(spec: LaunchSpec) -> str | None:
    return f"{spec.ports[0].scheme}://127.0.0.1:{spec.ports[0].host}" if spec.ports else None


def _first(spec: LaunchSpec, before: Snapshot | None) -> Snapshot:
    me = read_process(os.getpid())
    told = before or Snapshot(
        spec.name, spec.module, spec.mode, spec.backend, ProcessState.STARTING, "starting", created_at=time.time()
    )
    return told._replace(
        name=spec.name, module=spec.module, mode=spec.mode, backend=spec.backend, fingerprint=spec.fingerprint,
        model=spec.model, boot_id=boot_id(), ports=spec.ports, lifetime=spec.lifetime, warnings=(), supervised=True,
        url=_url(spec), supervisor_pid=os.getpid(),
        supervisor_ticks=me.ticks if me else None, supervisor_version=las_jupyter.__version__,
        fetching=None,
        limits=spec.limits,
    )  # fmt: skip
