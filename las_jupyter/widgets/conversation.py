"""
What one panel and its page have said to each other: the words that wait, and how far each log was read.

A round sends one thing: the state as traits, or all waiting words as one message. Both are sent again when they
may have been lost: the last state after a second of rest, a log from wherever the page says that it stands.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

from las_jupyter.core.errors import LasError
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.wire import to_data
from las_jupyter.widgets.messages import Ack, Batch, CloseLog, Done, FromPage, Here, Item, LogPiece, OpenLog, Order
from las_jupyter.widgets.source import PanelSource
from las_jupyter.widgets.tail import Tail

STATE_EVERY = 0.3
BEAT_EVERY = 2.0
SETTLED_AFTER = 1.0
UNWATCHED_AFTER = 30.0
"""A page says every ten seconds that it is there; one that fell silent is not worked for."""


class View(Protocol):
    """What is needed of a panel."""

    only: str

    def show(self, cards: list[dict[str, Any]], beat: float, notice: str) -> None:
        """Bring the traits in step, in one message."""

    def show_again(self) -> None:
        """Send the traits as they are: floods of other output can lose the last message."""

    def send(self, content: Any, buffers: Any = None) -> None:
        """A custom message to the page."""


class Conversation:
    """One panel. Only the publisher's thread uses it, but for the two queues."""

    def __init__(
        self,
        view: View,
        source: PanelSource,
        carry_out: Callable[[Conversation, Order], None],
        clock: Callable[[], float],
    ) -> None:
        self.inbox: queue.SimpleQueue[FromPage] = queue.SimpleQueue()
        self.words: queue.SimpleQueue[Ack | Done] = queue.SimpleQueue()
        self.snapshots: dict[str, Snapshot] = {}
        self.cards: list[dict[str, Any]] = []
        self.notice = ""
        self.problem = ""
        self._view = view
        self._source = source
        self._carry_out = carry_out
        self._clock = clock
        self._tails: dict[str, Tail] = {}
        self._shown: tuple[list[dict[str, Any]], str] | None = None
        self._seen_at = clock()
        self._state_at = 0.0
        self._beat_at = 0.0
        self._settle_at: float | None = None

    def concerns(self, name: str) -> bool:
        """Whether the panel shows this instance."""
        return not self._view.only or self._view.only == name

    @property
    def wants_service(self) -> bool:
        """Whether its page looks, or has said something."""
        return not self.inbox.empty() or self._clock() - self._seen_at <= UNWATCHED_AFTER

    def hear(self) -> None:
        """Read everything that the page has said."""
        while not self.inbox.empty():
            message = self.inbox.get()
            self._seen_at = self._clock()
            match message:
                case OpenLog():
                    self._tails[message.name] = Tail(message.name, message.generation, message.offset)
                case CloseLog():
                    self._tails.pop(message.name, None)
                case Order():
                    self.words.put(Ack(message.id))
                    self._carry_out(self, message)
                case Here():
                    self._beat_at = 0.0
                    self.problem = ""

    def send_one(self) -> None:
        """Send the state when it is due, otherwise what waits to be said, otherwise nothing."""
        now = self._clock()
        if now >= self._state_at and self._state_is_due(now):
            self._state_at = now + STATE_EVERY
            return
        said: list[Item] = [*self._waiting(), *self._log_pieces()]
        if said:
            self._view.send(to_data(Batch(tuple(said))))

    def show(self) -> None:
        """Show the state as it is now."""
        now = self._clock()
        self._beat_at = now + BEAT_EVERY
        changed = self._shown is not None and self._shown != (self.cards, self.notice)
        self._shown = (self.cards, self.notice)
        self._settle_at = now + SETTLED_AFTER if changed else self._settle_at
        self._view.show(self.cards, time.time(), self.notice)

    def _state_is_due(self, now: float) -> bool:
        if self._shown != (self.cards, self.notice) or now >= self._beat_at:
            self.show()
            return True
        if self._settle_at is not None and now >= self._settle_at:
            self._settle_at = None
            self._view.show_again()
            return True
        return False

    def _waiting(self) -> list[Ack | Done]:
        words = []
        while not self.words.empty():
            words.append(self.words.get())
        return words

    def _log_pieces(self) -> list[LogPiece]:
        """The news of every open log. The bytes of a round are shared, so that many loud servers flood no page."""
        pieces = []
        for name, tail in list(self._tails.items()):
            snapshot = self.snapshots.get(name)
            if snapshot is None:
                continue
            try:
                piece = tail.news(self._source.log_reader(name), snapshot.generation, len(self._tails))
            except (LasError, OSError):
                # It was forgotten between two looks.
                continue
            if piece is not None:
                pieces.append(piece)
        return pieces
