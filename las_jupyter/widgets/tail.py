"""How far a page has read one log, and the next piece for it. By offset, so that nothing is lost or doubled."""

from __future__ import annotations

from typing import Any, Protocol

from las_jupyter.widgets.messages import LogPiece

ROUND_BYTES = 32 * 1024
"""Most bytes of log in one message."""
BEGIN_BYTES = 32 * 1024
MOST_BEHIND = 512 * 1024
"""A page further behind than this reads the end at once: it could not show what it missed anyway."""
MOST_WAITS = 5


class Reader(Protocol):
    """What is needed of ``logs.reader.LogReader``."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    def read(self, offset: int, limit: int = ...) -> Any:
        """A ``Chunk`` from ``offset``."""


class Tail:
    """One open log. ``generation`` and ``offset`` None: the page has nothing yet and wants a beginning."""

    def __init__(self, name: str, generation: int | None, offset: int | None) -> None:
        self._name = name
        self._generation = generation
        self._offset = offset
        self._unfinished = 0
        self._waits = 0

    def news(self, reader: Reader, generation: int, sharers: int = 1) -> LogPiece | None:
        """What the page does not have yet of start ``generation``, or None."""
        if self._offset is None or generation != self._generation:
            return self._begin(reader, generation, skipped=0)
        size = reader.size
        if size < self._offset:
            return self._begin(reader, generation, skipped=0)
        if size - self._offset > MOST_BEHIND:
            return self._begin(reader, generation, skipped=size - self._offset - BEGIN_BYTES)
        offset = self._offset
        chunk = reader.read(offset, max(1024, ROUND_BYTES // sharers))
        if chunk.next_offset <= offset or self._half_written(chunk):
            return None
        self._offset = chunk.next_offset
        return self._piece(offset, chunk.next_offset, chunk.text, trimmed=chunk.trimmed)

    def _half_written(self, chunk: Any) -> bool:
        """Whether to wait a round for the rest of the last line: half a character or half a key must not be shown."""
        whole = chunk.text.endswith(("\n", "\r"))
        rests = chunk.next_offset == self._unfinished and not chunk.text.endswith("\ufffd")
        if whole or rests or self._waits >= MOST_WAITS:
            self._waits = 0
            return False
        self._unfinished = chunk.next_offset
        self._waits += 1
        return True

    def _begin(self, reader: Reader, generation: int, *, skipped: int) -> LogPiece:
        """The end of the log from the beginning of a line, to go on from there."""
        size = reader.size
        begin = max(0, size - BEGIN_BYTES)
        chunk = reader.read(begin, size - begin) if size else None
        text = chunk.text if chunk else ""
        if begin > 0 and "\n" in text:
            text = text[text.index("\n") + 1 :]
        self._generation = generation
        self._offset = chunk.next_offset if chunk else 0
        self._unfinished = self._waits = 0
        return self._piece(begin, self._offset or 0, text, reset=True, trimmed=skipped)

    def _piece(self, offset: int, after: int, text: str, *, reset: bool = False, trimmed: int = 0) -> LogPiece:
        return LogPiece(self._name, self._generation or 0, reset, offset, after, trimmed, text)
