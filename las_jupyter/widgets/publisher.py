"""
The one thread of a kernel that talks to its panels.

It alone sets traits and sends messages: at most ten times a second, only what changed, and only while a page says
that it looks. Widget callbacks may come on any thread, early or late; they leave a word in a queue and return.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.wire import to_data
from las_jupyter.widgets.source import PanelSource
from las_jupyter.widgets.wire import card

PAUSE = 0.1
LOOK_EVERY = 0.3
MEASURE_EVERY = 2.0
BEAT_EVERY = 2.0
HISTORY = 120
LOG_BYTES = 32 * 1024
TAIL_LINES = 500
UNWATCHED_AFTER = 30.0
"""A page says every ten seconds that it is there; one that fell silent is not worked for."""


class View(Protocol):
    """What the publisher needs of a panel."""

    cards: list[dict[str, Any]]
    beat: float
    notice: str
    only: str

    def send(self, content: Any, buffers: Any = None) -> None:
        """A custom message to the page."""


class Cursor:
    """How far the page has read one log."""

    def __init__(self, generation: int, offset: int) -> None:
        self.generation = generation
        self.offset = offset


class Publisher:
    """Serves one panel. ``deliver`` is called in its thread; ``tell`` from any."""

    def __init__(self, view: View, source: PanelSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._view = view
        self._source = source
        self._clock = clock
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cursors: dict[str, Cursor] = {}
        self._specs: dict[tuple[str, int], LaunchSpec] = {}
        self._history: dict[str, tuple[deque[int], deque[float]]] = {}
        self._last_cpu: dict[str, tuple[float, float]] = {}
        self._due = {"look": 0.0, "measure": 0.0, "beat": 0.0}
        self._seen_at = clock()
        self._snapshots: tuple[Snapshot, ...] = ()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread that does not hold the kernel's exit."""
        self._thread = threading.Thread(target=self._run, name="las-panel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End soon."""
        self._closed.set()

    def tell(self, message: Any) -> None:
        """A word of the page; returns at once."""
        if isinstance(message, dict):
            self._inbox.put(message)

    def _run(self) -> None:
        while not self._closed.wait(PAUSE):
            try:
                self.deliver()
            except Exception as error:
                # A thread that dies silently leaves a panel that lies; the panel shows what is wrong instead.
                self._say(f"The panel could not look: {error}")

    def _say(self, text: str) -> None:
        if self._view.notice != text:
            self._view.notice = text

    def deliver(self) -> None:
        """One round: take what the page said, look, and send what is new."""
        while not self._inbox.empty():
            self._hear(self._inbox.get())
        while not self._outbox.empty():
            self._view.send(self._outbox.get())
        now = self._clock()
        if now - self._seen_at > UNWATCHED_AFTER:
            return
        if now >= self._due["look"]:
            self._due["look"] = now + LOOK_EVERY
            self._look(now)
        if now >= self._due["beat"]:
            self._due["beat"] = now + BEAT_EVERY
            self._view.beat = time.time()

    def _hear(self, message: dict[str, Any]) -> None:
        self._seen_at = self._clock()
        match message.get("t"):
            case "log":
                self._open_log(str(message.get("name")), message.get("generation"), message.get("offset"))
            case "close":
                self._cursors.pop(str(message.get("name")), None)
            case "do":
                threading.Thread(target=self._do, args=(message,), name="las-command", daemon=True).start()
            case "here":
                self._due["beat"] = 0.0
            case _:
                pass

    def _do(self, message: dict[str, Any]) -> None:
        number, verb, name = message.get("id"), str(message.get("verb")), str(message.get("name"))
        self._outbox.put({"t": "ack", "id": number})
        try:
            self._source.command(verb, name)
        except LasError as error:
            self._outbox.put({"t": "done", "id": number, "error": error.lines()})
        except Exception as error:
            self._outbox.put({"t": "done", "id": number, "error": [f"{type(error).__name__}: {error}"]})
        else:
            self._outbox.put({"t": "done", "id": number})

    # ---- looking

    def _look(self, now: float) -> None:
        found = self._source.snapshots()
        self._snapshots = tuple(each for each in found if not self._view.only or each.name == self._view.only)
        if now >= self._due["measure"]:
            self._due["measure"] = now + MEASURE_EVERY
            self._measure()
        cards = [to_data(card(each, self._spec(each), *self._used(each.name))) for each in self._snapshots]
        if cards != self._view.cards:
            self._view.cards = cards
        self._say("")
        for snapshot in self._snapshots:
            self._push_log(snapshot)

    def _spec(self, snapshot: Snapshot) -> LaunchSpec | None:
        key = (snapshot.name, snapshot.generation)
        if key not in self._specs:
            try:
                self._specs[key] = self._source.spec(snapshot.name)
            except (LasError, ValueError, OSError):
                return None
        return self._specs[key]

    def _used(self, name: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        memory, cpu = self._history.get(name, ((), ()))
        return tuple(memory), tuple(cpu)

    def _measure(self) -> None:
        for snapshot in self._snapshots:
            usage = self._source.usage(snapshot.name) if snapshot.state.alive else None
            if usage is None:
                self._last_cpu.pop(snapshot.name, None)
                continue
            memory, cpu = self._history.setdefault(snapshot.name, (deque(maxlen=HISTORY), deque(maxlen=HISTORY)))
            memory.append(usage.memory)
            before = self._last_cpu.get(snapshot.name)
            self._last_cpu[snapshot.name] = (usage.at, usage.cpu_seconds)
            if before and usage.at > before[0]:
                # A process that ended takes its time with it: less than nothing was not used.
                cpu.append(round(max(0.0, (usage.cpu_seconds - before[1]) / (usage.at - before[0])), 2))

    # ---- logs

    def _open_log(self, name: str, generation: Any, offset: Any) -> None:
        snapshot = next((each for each in self._snapshots if each.name == name), None)
        if snapshot is None:
            return
        if generation == snapshot.generation and isinstance(offset, int) and offset >= 0:
            self._cursors[name] = Cursor(snapshot.generation, offset)
            return
        self._begin_log(snapshot)

    def _begin_log(self, snapshot: Snapshot) -> None:
        """Send the tail as a beginning, and go on from the end that it was read at."""
        reader = self._source.log_reader(snapshot.name)
        end = reader.size
        lines = reader.tail(TAIL_LINES)
        text = "\n".join(lines)[-LOG_BYTES:]
        if lines:
            text += "\n"
        self._cursors[snapshot.name] = Cursor(snapshot.generation, end)
        self._view.send(
            {"t": "log", "name": snapshot.name, "generation": snapshot.generation, "reset": True,
             "offset": end, "next": end, "trimmed": 0, "text": text}
        )  # fmt: skip

    def _push_log(self, snapshot: Snapshot) -> None:
        cursor = self._cursors.get(snapshot.name)
        if cursor is None:
            return
        if cursor.generation != snapshot.generation:
            self._begin_log(snapshot)
            return
        chunk = self._source.log_reader(snapshot.name).read(cursor.offset, LOG_BYTES)
        if chunk.next_offset > cursor.offset:
            self._view.send(
                {"t": "log", "name": snapshot.name, "generation": cursor.generation, "reset": False,
                 "offset": cursor.offset, "next": chunk.next_offset, "trimmed": chunk.trimmed, "text": chunk.text}
            )  # fmt: skip
            cursor.offset = chunk.next_offset
