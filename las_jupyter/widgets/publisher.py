"""
The one thread of a kernel that talks to its panels.

It alone sets traits and sends messages: for each panel at most one in a tenth of a second, and only while a page
says that it looks. Widget callbacks may come on any thread, early or late; they leave a word and return. While
nobody looks the thread sleeps until somebody does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from las_jupyter.core.errors import LasError
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.unseen import in_line
from las_jupyter.core.wire import to_data
from las_jupyter.widgets.conversation import Conversation, View
from las_jupyter.widgets.knowledge import Knowledge
from las_jupyter.widgets.messages import Done, Order, read_message
from las_jupyter.widgets.source import PanelSource
from las_jupyter.widgets.wire import card

PAUSE = 0.1
LOOK_EVERY = 0.3
PATIENCE = 3.0
"""Seconds of failing to look before a panel says so: an instance that is removed just now is no news."""


class Publisher:
    """Serves every panel over one ``source``. ``deliver`` is called in its thread; everything else from any."""

    def __init__(self, source: PanelSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._knowledge = Knowledge(source)
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._conversations: list[Conversation] = []
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._look_at = 0.0
        self._snapshots: tuple[Snapshot, ...] = ()
        self._well_at = clock()
        self._notice = ""

    def join(self, view: View) -> Conversation:
        """Begin to serve ``view``: it has its cards when this returns."""
        conversation = Conversation(view, self._source, self._carry_out, self._clock)
        # Without measuring: a supervisor that hangs must not hold the cell.
        self._look(measure=False)
        self._tell_state(conversation)
        conversation.show()
        with self._lock:
            self._conversations.append(conversation)
        return conversation

    def start(self) -> None:
        """Have the thread run; it does not hold the kernel's exit."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="las-panels", daemon=True)
                self._thread.start()
        self._woken.set()

    def leave(self, conversation: Conversation) -> None:
        """Serve it no longer."""
        with self._lock:
            if conversation in self._conversations:
                self._conversations.remove(conversation)

    def tell(self, conversation: Conversation, message: Any) -> None:
        """A word of a page; returns at once."""
        heard = read_message(message)
        if heard is not None:
            conversation.inbox.put(heard)
            self._woken.set()

    @property
    def watched(self) -> bool:
        """Whether any page looks, or said something that nobody has read yet."""
        with self._lock:
            return any(each.wants_service for each in self._conversations)

    def _run(self) -> None:
        while True:
            if not self.watched:
                self._woken.wait()
            self._woken.clear()
            self.deliver()
            time.sleep(PAUSE)

    def deliver(self) -> None:
        """One round: hear, look, and send each panel at most one thing. Never raises."""
        with self._lock:
            served = [each for each in self._conversations if each.wants_service]
        for conversation in served:
            conversation.hear()
        if self._clock() >= self._look_at:
            self._look(measure=True)
        for conversation in served:
            try:
                self._tell_state(conversation)
                conversation.send_one()
            except Exception as error:
                # A thread that died would leave every panel of the kernel lying; the others go on.
                conversation.problem = in_line(f"The panel could not be brought up to date: {error}")

    def _look(self, *, measure: bool) -> None:
        with self._looking:
            self._look_now(measure=measure)

    def _look_now(self, *, measure: bool) -> None:
        now = self._clock()
        self._look_at = now + LOOK_EVERY
        try:
            found = self._source.snapshots()
            if measure:
                self._knowledge.measure(found, now)
        except Exception as error:
            if now - self._well_at > PATIENCE:
                self._notice = in_line(f"The panel could not look: {error}")
            return
        self._well_at = now
        self._notice = ""
        self._snapshots = tuple(sorted(found, key=lambda each: (not each.state.alive, -each.created_at, each.name)))

    def _tell_state(self, conversation: Conversation) -> None:
        with self._looking:
            shown = [each for each in self._snapshots if conversation.concerns(each.name)]
            cards = [to_data(card(each, *self._knowledge.of(each))) for each in shown]
        conversation.snapshots = {each.name: each for each in shown}
        conversation.cards = cards
        conversation.notice = self._notice or conversation.problem

    def _carry_out(self, conversation: Conversation, order: Order) -> None:
        """Do what a button asked for, away from the thread that serves the panels: a stop may take its time."""

        def act() -> None:
            error_lines: tuple[str, ...] | None = None
            try:
                self._source.command(order.verb, order.name)
            except LasError as error:
                error_lines = tuple(error.lines())
            except Exception as error:
                error_lines = (in_line(f"{type(error).__name__}: {error}"),)
            conversation.words.put(Done(order.id, error_lines))
            self._look_at = 0.0

        threading.Thread(target=act, name=f"las-{order.verb}", daemon=True).start()


_of_source: dict[int, Publisher] = {}
_making = threading.Lock()


def publisher_of(source: PanelSource) -> Publisher:
    """The publisher of all panels over ``source``."""
    with _making:
        # It keeps its source alive, so the number stays the source's own.
        return _of_source.setdefault(id(source), Publisher(source))
