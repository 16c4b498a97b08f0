"""Looking through what a module writes while it starts, piece by piece as it comes."""

from __future__ import annotations

import re
import time

from las_jupyter.logs.pieces import read

_PIECE = 256 * 1024
_LONGEST_LINE = 16 * 1024
_LONGEST_LOOK = 0.05


class Scanner:
    """Reads ``path`` from where it stopped and remembers which patterns a line of it matched."""

    def __init__(self, path: str, patterns: tuple[str, ...] = ()) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._patterns = {pattern: re.compile(pattern.encode()) for pattern in patterns}
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
            self._patterns[pattern] = re.compile(pattern.encode())
            self._offset, self._rest = 0, b""
        end = time.monotonic() + _LONGEST_LOOK
        while pattern not in self._seen and self.advance() and time.monotonic() < end:
            pass
        return pattern in self._seen

    def advance(self) -> bool:
        """Read what is new, at most one piece; whether there was anything."""
        data = read(self._path, self._offset, _PIECE)
        if not data:
            return False
        self._offset += len(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-_LONGEST_LINE:]
        for line in lines:
            self._look(line[:_LONGEST_LINE])
        if self._rest:
            self._look(self._rest)
        return True

    def _look(self, line: bytes) -> None:
        if line.strip():
            self.last_line = line
        for pattern, compiled in self._patterns.items():
            if pattern not in self._seen and compiled.search(line):
                self._seen.append(pattern)
