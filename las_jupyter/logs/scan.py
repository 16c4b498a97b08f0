"""
Looking through what a module writes while it starts, piece by piece as it comes.

Who writes the lines and who wrote the patterns may be strangers, so every look is bounded: a pattern must pass
``logs.patterns``, only the beginning of a line is searched, and a look ends after a while and goes on at the next call.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from las_jupyter.logs.pieces import read

if TYPE_CHECKING:
    import re

LONGEST_LINE = 1024
"""Letters of a line that are searched: what is looked for stands at its beginning, and steps grow with its square."""

_PIECE = 256 * 1024
_LONGEST_LOOK = 0.05


class Scanner:
    """Reads ``path`` from where it stopped and remembers which patterns a line of it matched."""

    def __init__(self, path: str, patterns: tuple[str, ...] = ()) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._lines: list[bytes] = []
        """Those that were read and not looked at, the last one first."""
        # A spec that was written before patterns were checked may hold one that is not searchable.
        self._patterns = {pattern: _searchable(pattern) for pattern in patterns}
        self._seen: list[str] = []
        self.last_line = b""

    @property
    def offset(self) -> int:
        """How far it has read."""
        return self._offset

    @property
    def latest(self) -> str | None:
        """The pattern that was seen first most recently."""
        return self._seen[-1] if self._seen else None

    def seen(self, pattern: str) -> bool:
        """
        Whether a line matched ``pattern``, which need not have been named before.

        Reads on for a twentieth of a second at most: a flood must neither hide the line for long nor hold us up.
        """
        if pattern not in self._patterns:
            self._patterns[pattern] = _searchable(pattern)
            self._offset, self._rest, self._lines = 0, b"", []
        end = time.monotonic() + _LONGEST_LOOK
        while pattern not in self._seen and self.advance() and time.monotonic() < end:
            pass
        return pattern in self._seen

    def advance(self) -> bool:
        """Look at what is new, at most one piece and a twentieth of a second long; whether there was anything."""
        if not self._lines and not self._read_on():
            return False
        end = time.monotonic() + _LONGEST_LOOK
        while self._lines:
            self._look(self._lines.pop())
            if time.monotonic() >= end:
                break
        return True

    def catch_up(self, seconds: float) -> None:
        """Look at all that was written, for ``seconds`` at most: who writes on and on must not hold us."""
        end = time.monotonic() + seconds
        while self.advance() and time.monotonic() < end:
            pass

    def _read_on(self) -> bool:
        data = read(self._path, self._offset, _PIECE)
        if not data:
            return False
        self._offset += len(data)
        # A progress bar begins its line anew, hundreds of times.
        lines = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        # Of a line that is not ended no more needs to be kept than is searched; it is looked at as far as it goes.
        self._rest = lines.pop()[:LONGEST_LINE]
        if self._rest:
            lines.append(self._rest)
        self._lines = [line[:LONGEST_LINE] for line in reversed(lines)]
        return True

    def _look(self, line: bytes) -> None:
        if line.strip():
            self.last_line = line
        for pattern, compiled in self._patterns.items():
            if compiled is not None and pattern not in self._seen and compiled.search(line):
                self._seen.append(pattern)


def _searchable(pattern: str) -> re.Pattern[bytes] | None:
    # Only who looks for something has it in memory; a supervisor names all its patterns before its server begins.
    from las_jupyter.logs.patterns import searchable

    return searchable(pattern)
