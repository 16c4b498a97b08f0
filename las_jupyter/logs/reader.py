"""Reading a log without reading all of it. Bytes on disk; every text that leaves here went through ``shown``."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from las_jupyter.logs import index, pieces
from las_jupyter.logs.changes import Changes
from las_jupyter.logs.search import Finder
from las_jupyter.logs.shown import CONTEXT, Shown, fewer_states

_BLOCK = 64 * 1024
_BIG_BLOCK = 4 * 1024 * 1024
_SEARCHED_BLOCK = 512 * 1024  # it stays in the processor's cache
_LONGEST_LINE = 16 * 1024
_LONGEST_HELD = _LONGEST_LINE + CONTEXT
_FILE_TIMES_LAG = 0.02  # a file's time is that of the kernel's last tick
_LONGEST_JOINED = 64 * 1024 * 1024


class Chunk(NamedTuple):
    """Text from ``offset`` up to ``next_offset``; ``trimmed`` bytes before it no longer exist."""

    offset: int
    next_offset: int
    text: str
    trimmed: int = 0


class LogReader:
    """The log of one start. ``secrets`` are values that are never shown."""

    def __init__(self, path: str, secrets: tuple[str, ...] = ()) -> None:
        self.path = path
        self._shown = Shown(secrets)

    @property
    def size(self) -> int:
        """Bytes written so far, those trimmed away included."""
        try:
            return pieces.size(self.path)
        except OSError:
            return 0

    def read(self, offset: int, limit: int = _BLOCK) -> Chunk:
        """At most ``limit`` bytes from ``offset`` on, cut at a line's end where there is one."""
        begin, data = self._piece(offset, limit)
        if len(data) == limit and b"\n" in data:
            data = data[: data.rindex(b"\n") + 1]
        return Chunk(begin, begin + len(data), self._between(begin, data), begin - offset)

    def _between(self, begin: int, data: bytes) -> str:
        """``data`` as text, with regard to what is before and after it: a secret may lie across its edges."""
        before = self._bytes(max(0, begin - CONTEXT), min(CONTEXT, begin))
        before = before[before.rfind(b"\n") + 1 :]
        whole = before + data
        if not data.endswith(b"\n"):
            whole += self._bytes(begin + len(data), CONTEXT).partition(b"\n")[0]
        first, last = len(before), len(before) + len(data)
        return fewer_states(self._shown.text(whole, first, last, ends=data.endswith(b"\n")))

    def tail(self, lines: int = 100) -> list[str]:
        """The last ``lines`` lines."""
        if lines <= 0:
            return []
        blocks: list[bytes] = []
        position, head, breaks, size = self.size, self.head, 0, 0
        while position > head and breaks <= lines and size < lines * _LONGEST_LINE:
            begin = max(head, position - _BLOCK)
            blocks.append(self._bytes(begin, position - begin))
            breaks, size, position = breaks + blocks[-1].count(b"\n"), size + len(blocks[-1]), begin
        _, data = self._still_there(position, b"".join(reversed(blocks)))
        return [self._line(line) for line in _split(data)[-lines:]]

    def _line(self, line: bytes) -> str:
        cut = len(line) > _LONGEST_LINE
        text = self._shown.line(line[:_LONGEST_HELD], ends=not cut)
        return text[:_LONGEST_LINE] + " …(cut)" if cut else text

    def since(self, moment: float) -> list[str]:
        """
        Lines written after ``moment`` (seconds since the epoch).

        The index is a second apart, so that up to a second more may be among them, never less.
        """
        return list(self.lines(self.offset_at(moment)))

    def offset_at(self, moment: float) -> int:
        """The beginning of the line the log stood at by ``moment``; its end when nothing was written since."""
        try:
            if pieces.modified(self.path) + _FILE_TIMES_LAG < moment:
                return self.size
            fd = pieces.opened(index.index_path(self.path))
        except OSError:
            return 0  # without an index all of it may be newer
        try:
            offset = min(index.size_at(fd, moment), self.size)
        finally:
            os.close(fd)
        begin = max(0, offset - _LONGEST_LINE)
        before = self._bytes(begin, offset - begin)
        return begin + before.rfind(b"\n") + 1 if b"\n" in before else begin

    def lines(self, offset: int = 0) -> Iterator[str]:
        """Every line from ``offset`` on, piece by piece."""
        rest = b""
        position, data = self._piece(offset, _BIG_BLOCK)
        while data:
            *whole, after = data.split(b"\n")
            if whole:
                yield self._line(rest + whole[0])
                yield from (self._line(line) for line in whole[1:])
                rest = b""
            rest, end = (rest + after)[:_LONGEST_HELD], position + len(data)
            position, data = self._piece(end, _BIG_BLOCK)
            if position > end:
                rest = b""  # its end was trimmed away meanwhile
        if rest:
            yield self._line(rest)

    def grep(self, pattern: str, limit: int = 1000) -> list[str]:
        """
        The last ``limit`` lines that match the regular expression.

        Read from the end, so that what is found soon is found fast; text that every match must contain is looked for
        before any line is looked at.
        """
        finder = Finder(pattern, self._shown.line)
        found: list[bytes] = []
        position, head, rest = self.size, self.head, b""
        while position > head and len(found) < limit:
            begin = max(head, position - _SEARCHED_BLOCK)
            data, end = self._bytes(begin, position - begin), position
            position, data = self._still_there(begin, data)
            if position > begin:
                begin = head = position
                rest = rest if position < end else b""
            # Of the first line there may be more in the block before, of the last line in the one after.
            first = data.find(b"\n") + 1 if begin > head else 0
            last = data.rfind(b"\n") + 1
            if begin > head and not first and len(data) + len(rest) < _LONGEST_JOINED:
                rest = data + rest
                continue
            matches = itertools.chain(finder.lines(data, first, last), finder.lines(data[last:] + rest))
            found[:0] = collections.deque(matches, maxlen=limit - len(found))
            rest = data[:first]
        return [self._line(line) for line in found]

    def follow(self, offset: int | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[Chunk]:
        """Chunks as they come, from ``offset`` or the end, until ``stop`` says so and all is read."""
        position = self.size if offset is None else offset
        changes = Changes(self.path)
        try:
            while True:
                ending = stop()
                chunk = self.read(position)
                if chunk.next_offset > position:
                    position = chunk.next_offset
                    yield chunk
                elif ending:
                    return
                else:
                    changes.wait()
        finally:
            changes.close()

    def _piece(self, offset: int, limit: int) -> tuple[int, bytes]:
        """Bytes from ``offset`` on and where they begin: later when the head is trimmed, also meanwhile."""
        begin, data = offset, self._bytes(offset, limit)
        if offset == 0 and not data:
            return begin, data
        while data[:1] in (b"\0", b"") and (head := self.head) > begin:
            begin, data = head, self._bytes(head, limit)
        return begin, data

    def _still_there(self, begin: int, data: bytes) -> tuple[int, bytes]:
        """``data`` read from ``begin`` on, and where it begins, without what was trimmed away while it was read."""
        head = self.head if data[:1] == b"\0" else begin
        return (head, data[head - begin :]) if head > begin else (begin, data)

    @property
    def head(self) -> int:
        """Where the bytes begin that are still there."""
        return pieces.head(self.path)

    def _bytes(self, offset: int, limit: int) -> bytes:
        return pieces.read(self.path, offset, limit)


def _split(data: bytes) -> list[bytes]:
    """The lines of ``data``; what follows the last line's end is a line only when there is something."""
    *whole, rest = data.split(b"\n")
    return [*whole, rest] if rest else whole
