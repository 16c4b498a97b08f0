"""Reading a log without reading all of it. Bytes on disk, text on display: escapes stripped and secrets hidden."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

_BLOCK = 64 * 1024
_LONGEST_LINE = 16 * 1024
_HIDDEN = "‹hidden›"
_TOKENS = re.compile(r"\b(?:hf_|sk-)[A-Za-z0-9_-]{12,}|(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}")
_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\x1b\[(?![0-9;]*m)[0-?]*[ -/]*[@-~]")


class Chunk(NamedTuple):
    """Text from ``offset`` up to ``next_offset``; ``trimmed`` bytes before it no longer exist."""

    offset: int
    next_offset: int
    text: str
    trimmed: int = 0


class LogReader:
    """One log file. ``secrets`` are values that are never shown."""

    def __init__(self, path: str, secrets: tuple[str, ...] = ()) -> None:
        self.path = path
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)

    @property
    def size(self) -> int:
        """Bytes written so far, those trimmed away included."""
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def display(self, data: bytes) -> str:
        """``data`` as it may be shown: replaced where it is not UTF-8, without escapes but colours, secrets hidden."""
        text = _ESCAPES.sub("", data.decode(errors="replace"))
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _TOKENS.sub(_HIDDEN, text)

    def read(self, offset: int, limit: int = _BLOCK) -> Chunk:
        """At most ``limit`` bytes from ``offset`` on, cut at a line's end where there is one."""
        begin = self._first_data(offset)
        data = self._bytes(begin, limit)
        if len(data) == limit and b"\n" in data:
            data = data[: data.rindex(b"\n") + 1]
        return Chunk(begin, begin + len(data), self.display(data), begin - offset)

    def tail(self, lines: int = 100) -> list[str]:
        """The last ``lines`` lines."""
        data, position = b"", self.size
        while position > 0 and data.count(b"\n") <= lines and len(data) < lines * _LONGEST_LINE:
            begin = max(0, position - _BLOCK)
            data = self._bytes(begin, position - begin) + data
            position = begin
        kept = data.lstrip(b"\0").splitlines()[-lines:] if lines > 0 else []
        return [self._line(line) for line in kept]

    def _line(self, line: bytes) -> str:
        cut = line[:_LONGEST_LINE]
        return self.display(cut) + (" …(cut)" if len(cut) < len(line) else "")

    def since(self, moment: float) -> list[str]:
        """Lines written after ``moment`` (seconds since the epoch), as far as the index tells."""
        return list(self.lines(self.offset_at(moment)))

    def offset_at(self, moment: float) -> int:
        """Where the log stood at ``moment``; the end when the file was last written before it."""
        try:
            return 0 if os.stat(self.path).st_mtime >= moment else self.size
        except OSError:
            return 0

    def lines(self, offset: int = 0) -> Iterator[str]:
        """Every line from ``offset`` on, piece by piece."""
        rest = b""
        position = self._first_data(offset)
        while data := self._bytes(position, 1 << 20):
            position += len(data)
            *whole, rest = (rest + data).split(b"\n")
            yield from (self._line(line) for line in whole)
            rest = rest[:_LONGEST_LINE]
        if rest:
            yield self._line(rest)

    def grep(self, pattern: str, limit: int = 1000) -> list[str]:
        """The last ``limit`` lines that match the regular expression, letter case ignored."""
        wanted = re.compile(pattern.encode(), re.IGNORECASE)
        found: list[bytes] = []
        rest, position = b"", self._first_data(0)
        while data := self._bytes(position, 1 << 20):
            position += len(data)
            *whole, rest = (rest + data).split(b"\n")
            found.extend(line for line in whole if wanted.search(line))
            del found[:-limit]
        if rest and wanted.search(rest):
            found.append(rest)
        return [self._line(line) for line in found[-limit:]]

    def follow(self, offset: int | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[Chunk]:
        """Chunks as they come, from ``offset`` or the end, until ``stop`` says so and all is read."""
        position = self.size if offset is None else offset
        while True:
            ending = stop()
            chunk = self.read(position)
            if chunk.next_offset > position:
                position = chunk.next_offset
                yield chunk
            elif ending:
                return
            else:
                time.sleep(0.1)

    def _bytes(self, offset: int, limit: int) -> bytes:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.pread(fd, limit, offset)
        finally:
            os.close(fd)

    def _first_data(self, offset: int) -> int:
        """``offset``, or where the bytes begin that are still there."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return offset
        try:
            return os.lseek(fd, offset, os.SEEK_DATA)
        except OSError:
            return offset
        finally:
            os.close(fd)
