"""
From the engine's record of what a container wrote to the log file of a start, byte by byte.

The engine keeps the record whoever dies. A cursor beside the log says how much of the record makes which offset of the
log; who comes after a dead collector reads on from there and drops what the log holds already. So nothing is lost and
nothing stands there twice.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

from las_jupyter.core.wire import from_json, to_json
from las_jupyter.logs.piece_writer import PieceWriter
from las_jupyter.state.files import plain, plain_here, read_bytes, write_atomic

_SAVE_EVERY = 0.25
_CHUNK = 1 << 18
_FAST, _SLOW = 0.02, 0.2


class FileWriter:
    """Appends to a log that is one file."""

    def __init__(self, path: str, fd: int) -> None:
        self._fd = os.dup(fd) if fd >= 0 else plain_here(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.end = os.fstat(self._fd).st_size

    def write(self, data: bytes) -> int:
        """Append ``data``, or the beginning of it; how many bytes."""
        return os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


class Sink:
    """
    The log, and the cursor into the engine's record that belongs to it.

    A log in pieces keeps itself to ``keep`` bytes; one that is a file is trimmed by the supervisor.
    """

    def __init__(self, path: str, fd: int, keep: int) -> None:
        self._log = PieceWriter(path, keep) if os.path.isdir(path) else FileWriter(path, fd)
        self._cursor_path = f"{path}.cursor"
        self.cursor = self._read_cursor()
        size = self._log.end
        self._offset = self.cursor.get("offset", 0) if self.cursor else size
        self._drop = max(0, size - self._offset)
        self._saved = 0.0

    def _read_cursor(self) -> dict[str, int]:
        try:
            return from_json(dict[str, int], read_bytes(self._cursor_path) or b"{}")
        except (OSError, ValueError):
            return {}

    def write(self, data: bytes) -> None:
        """Append ``data``, but for what the log already holds."""
        self._offset += len(data)
        if self._drop:
            dropped = min(self._drop, len(data))
            self._drop -= dropped
            data = data[dropped:]
        while data:
            data = data[self._log.write(data) :]

    def mark(self, where: dict[str, int], *, now: bool = False) -> None:
        """Everything up to ``where`` of the engine's record was written."""
        self.cursor = {**where, "offset": self._offset}
        if now or time.monotonic() - self._saved >= _SAVE_EVERY:
            self._saved = time.monotonic()
            write_atomic(self._cursor_path, to_json(self.cursor).encode())

    def close(self, *, finished: bool) -> None:
        """Let go of the file; the cursor of a finished log is of no more use."""
        self._log.close()
        if finished:
            try:
                os.unlink(self._cursor_path)
            except OSError:
                pass


class Collector(Protocol):
    """Collects in the thread that calls ``run``."""

    def run(self) -> None:
        """Until all was collected after ``finish``, or until ``abandon``."""

    def finish(self) -> None:
        """The container ended: collect what is left and return."""

    def abandon(self) -> None:
        """Return soon."""


class FileCollector:
    """Reads the file that conmon writes: ``TIME STREAM F|P TEXT`` a line, P for one that goes on in the next."""

    def __init__(self, path: str, sink: Sink) -> None:
        self._path, self._sink = path, sink
        self._news, self._finish, self._abandon = threading.Event(), False, False

    def run(self) -> None:
        """Poll the file, quickly while it grows."""
        place = self._sink.cursor.get("record", 0)
        pause = _FAST
        try:
            fd = plain(self._path)
        except OSError as error:
            self._sink.write(f"[las] the engine's log cannot be read: {error}\n".encode())
            return
        try:
            while not self._abandon:
                last = self._finish
                moved = self._read_on(fd, place)
                if moved == place and last:
                    break
                pause = _FAST if moved != place else min(_SLOW, pause * 1.5)
                if moved == place:
                    self._news.wait(pause)
                place = moved
        finally:
            os.close(fd)
            self._sink.mark({"record": place}, now=True)

    def _read_on(self, fd: int, place: int) -> int:
        data = b""
        while True:
            more = os.pread(fd, _CHUNK, place + len(data))
            data += more
            end = data.rfind(b"\n") + 1
            if end or not more:
                break
        if end:
            self._sink.write(b"".join(plain_lines(data[:end])))
            self._sink.mark({"record": place + end})
        return place + end

    def finish(self) -> None:
        self._finish = True
        self._news.set()

    def abandon(self) -> None:
        self._abandon = True
        self._news.set()


def plain_lines(data: bytes) -> list[bytes]:
    """What the module wrote, from whole lines of the record."""
    found = []
    for line in data.split(b"\n")[:-1]:
        parts = line.split(b" ", 3)
        if len(parts) < 3:
            continue
        text = parts[3] if len(parts) == 4 else b""
        found.append(text if parts[2] == b"P" else text + b"\n")
    return found
