"""
One log for each start, never overwritten, and kept within bounds.

Mostly it is a file that the module itself appends to: it owns its descriptor and we are not in its way, so that no
death of ours can block it, end it or lose a line. What is above the bounds goes from the head of the file, by holes.
Where the file system has none, the log is a folder of pieces, which whoever writes them keeps within bounds.
"""

from __future__ import annotations

import os
import time

from las_jupyter.core.launch import LogRule
from las_jupyter.core.states import LogCapture
from las_jupyter.logs import index, pieces
from las_jupyter.logs.holes import head, punch
from las_jupyter.logs.names import is_log
from las_jupyter.state.files import plain_here, write_atomic
from las_jupyter.state.paths import make_private

_EVERY = 1.0
_SOONEST = 0.05
_QUIET_EVERY = 5.0
_LEAST_KEPT = 64 * 1024
_LONGEST_LINE = 16 * 1024
_BLOCK = 4096
_SAME_SECOND = 1000
_LONGEST_INDEX = 64 * 1024
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class LogStore:
    """The logs of one instance in ``folder``. ``problem`` is a sentence when the bounds cannot be kept."""

    def __init__(self, folder: str, rule: LogRule) -> None:
        self.folder = folder
        self.rule = rule
        self.problem: str | None = None
        self._seen = -1
        self._seen_at = 0.0
        self._path = ""

    def open(self, generation: int, stamp: str) -> tuple[str, int]:
        """
        A new log for start number ``generation`` and a descriptor that appends to it; -1 when it is one in pieces.

        Logs of older starts are removed as the rule says. Raises ``OSError`` when none can be made, and
        ``UnsafeFolder`` when others could put something else in its place.
        """
        make_private(self.folder, "runtime.log_dir")
        path, fd = self._new(f"{generation:04d}-{stamp}")
        if self._in_pieces(fd):
            os.close(fd)
            os.unlink(path)
            os.mkdir(path, 0o700)
            fd = -1
        self._current(path)
        self._forget_old()
        self._note(0)
        return path, fd

    def _in_pieces(self, fd: int) -> bool:
        how = self.rule.capture
        return how is LogCapture.PUMP or (how is LogCapture.AUTO and not punch(fd, _BLOCK))

    def _new(self, name: str) -> tuple[str, int]:
        for number in range(_SAME_SECOND):
            path = os.path.join(self.folder, f"{name}-{number}.log" if number else f"{name}.log")
            try:
                return path, os.open(path, _FLAGS | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
        raise FileExistsError(f"{_SAME_SECOND} starts in one second")

    def _current(self, path: str) -> None:
        self._path, self._seen, self._seen_at = path, -1, time.monotonic()

    def tick(self) -> float | None:
        """Write down how far the log is and trim it; seconds until it wants to be called again."""
        if not self._path:  # another supervisor began it
            self._current((logs_of(self.folder) or [""])[-1])
        try:
            size = pieces.size(self._path)
        except OSError:
            return _QUIET_EVERY
        grown, self._seen = size - self._seen, size
        if grown == 0:
            return _QUIET_EVERY if time.monotonic() - self._seen_at > _QUIET_EVERY else _EVERY
        took, self._seen_at = max(1e-3, time.monotonic() - self._seen_at), time.monotonic()
        self._note(size)
        self._bound(size)
        # In a flood, soon enough that it gets no further than a quarter of its bound beyond it.
        return min(_EVERY, max(_SOONEST, self._kept() / 4 * took / grown))

    def _note(self, size: int) -> None:
        try:
            fd = plain_here(index.index_path(self._path), os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError:
            return  # a disk without room: ``since`` then shows more than asked for
        try:
            odd = os.fstat(fd).st_size - index.rows(fd) * 16
            if odd:  # a row cut short by a full disk
                os.ftruncate(fd, index.rows(fd) * 16)
            last = index.row(fd, index.rows(fd) - 1)[0] if index.rows(fd) else 0.0
            index.append(fd, max(last, time.time()), size)  # a clock set back must not break the order
        except OSError:
            pass
        finally:
            os.close(fd)

    # ---- bounds

    def _kept(self) -> int:
        return kept(self.rule)

    def _bound(self, size: int) -> None:
        if os.path.isdir(self._path):
            self._shorten_index()
        elif size > self._kept() and self.problem is None:
            self._trim(size)
        if sum(_used(path) for path in logs_of(self.folder)) > self.rule.total_bytes:
            self._forget_old()

    def _trim(self, size: int) -> None:
        try:
            fd = plain_here(self._path, os.O_RDWR)
        except OSError:
            return
        try:
            begin = head(fd)
            if size - begin <= self._kept():
                return
            # An eighth more than needed, so that this is rare.
            end = _line_end(fd, size - self._kept() * 7 // 8)
            if end - begin >= _BLOCK and not punch(fd, end):
                self.problem = f"the file system of {self.folder} cannot trim a log that is being written; it grows"
        except OSError:
            return
        finally:
            os.close(fd)
        self._trim_index(end)

    def _trim_index(self, size: int) -> None:
        try:
            fd = plain_here(index.index_path(self._path), os.O_RDWR)
        except OSError:
            return
        try:
            end = index.bytes_before(fd, size) // _BLOCK * _BLOCK
            if end:
                punch(fd, end)
        except OSError:
            pass
        finally:
            os.close(fd)

    def _shorten_index(self) -> None:
        """Without holes: the rows that are still of use, written anew."""
        path = index.index_path(self._path)
        try:
            if os.lstat(path).st_size < _LONGEST_INDEX:
                return
            with open(path, "rb", opener=plain_here) as file:
                gone = index.bytes_before(file.fileno(), pieces.head(self._path))
                if gone >= _LONGEST_INDEX // 2:
                    file.seek(gone)
                    write_atomic(path, file.read())
        except OSError:
            pass

    def _forget_old(self) -> None:
        """Remove the oldest logs above the number and the bytes to keep, never the current one."""
        older = [path for path in logs_of(self.folder) if path != self._path]
        room = self.rule.total_bytes - _used(self._path)
        for kept, path in enumerate(reversed(older), 2):
            room -= _used(path)
            if kept > max(1, self.rule.keep_starts) or room < 0:
                for each in (path, index.index_path(path)):
                    try:
                        pieces.remove(each)
                    except OSError:
                        pass


def kept(rule: LogRule) -> int:
    """How many bytes of one start's log are kept."""
    return max(_LEAST_KEPT, min(rule.start_bytes, rule.total_bytes))


def logs_of(folder: str) -> list[str]:
    """Every log of the instance whose logs are in ``folder``, the oldest first."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [os.path.join(folder, name) for name in sorted(filter(is_log, names), key=_age)]


def _age(name: str) -> tuple[str, int, int, str]:
    number, stamp, *again = name.removesuffix(".log").split("-")
    # The stamp first: after a lost state the numbers begin anew.
    return stamp, int(number), len(again and again[0]), name


def _used(path: str) -> int:
    """Bytes on the disk of a log and its index."""
    total = 0
    for each in (path, index.index_path(path)):
        try:
            total += pieces.used(each)
        except OSError:
            pass
    return total


def _line_end(fd: int, position: int) -> int:
    """The end of the line at ``position``, or ``position`` when that line is too long to look for it."""
    data = os.pread(fd, _LONGEST_LINE, position)
    return position + data.find(b"\n") + 1 if b"\n" in data else position
