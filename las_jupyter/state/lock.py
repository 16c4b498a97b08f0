"""
A lock that is held as long as a process lives.

``flock`` and not ``lockf``: a POSIX lock is lost when *any* descriptor of the file is closed. Whether the owner
lives is asked of the lock, never of a process id in a file.
"""

from __future__ import annotations

import fcntl
import os
import time

from las_jupyter.state.files import plain_here


class Lock:
    """An exclusive lock on ``path``, held until ``release`` or the end of the process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, wait: float = 0.0) -> bool:
        """Take it within ``wait`` seconds; False when somebody else keeps it."""
        deadline = time.monotonic() + wait
        while True:
            fd = plain_here(self.path, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.005)
                continue
            if _same_file(fd, self.path):
                self._fd = fd
                return True
            os.close(fd)  # it was replaced while we waited: a lock on a deleted file guards nothing

    def still_ours(self) -> bool:
        """False when the file was deleted or replaced while we hold the lock on it."""
        return self._fd is not None and _same_file(self._fd, self.path)

    def renew(self) -> bool:
        """
        Lock the file that has the path now, after ours was deleted; False when somebody else holds that one.

        The old descriptor is kept until the new lock is ours: at no moment do we hold nothing.
        """
        if self.still_ours():
            return True
        fresh = Lock(self.path)
        if not fresh.acquire():
            return False
        self.release()
        self._fd, fresh._fd = fresh._fd, None
        return True

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _same_file(fd: int, path: str) -> bool:
    try:
        named = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    held = os.fstat(fd)
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


def is_held(path: str) -> bool:
    """Whether a living process holds the lock on ``path``."""
    try:
        fd = plain_here(path)
    except OSError:
        return False
    try:
        # Shared: those who ask do not disturb each other.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
