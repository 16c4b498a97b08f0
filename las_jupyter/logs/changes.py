"""Waiting until a file is written to, as Linux tells it; where it does not, we look ten times a second."""

from __future__ import annotations

import ctypes
import os
import select
import time

_MODIFIED_OR_CLOSED = 0x02 | 0x08
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_LOOK_EVERY = 0.1
_LONGEST = 1.0


class Changes:
    """Changes of ``path`` since the last wait. Close it after use."""

    def __init__(self, path: str) -> None:
        self._path = os.fsencode(path)
        self._fd = -1
        self._pause = _LOOK_EVERY
        self._watch()

    def _watch(self) -> None:
        try:
            library = ctypes.CDLL(None, use_errno=True)
            fd = int(library.inotify_init1(_NONBLOCK_CLOEXEC))
        except (OSError, AttributeError):
            return
        if fd >= 0 and library.inotify_add_watch(fd, self._path, _MODIFIED_OR_CLOSED) < 0:
            os.close(fd)  # not there yet, or the user has no watches left
            return
        self._fd = fd

    def wait(self) -> None:
        """
        Return when it was written to, or soon: after a tenth of a second, and a second when it has long been quiet.

        So what else is waited for, like the end of its writer, can be looked at in between.
        """
        if self._fd < 0:
            time.sleep(_LOOK_EVERY)
            self._watch()
            return
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if poll.poll(self._pause * 1000):
            os.read(self._fd, 64 * 1024)
            self._pause = _LOOK_EVERY
        else:
            self._pause = min(_LONGEST, self._pause * 1.5)

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
