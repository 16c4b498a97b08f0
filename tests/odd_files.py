"""What may stand where a file should be, and a bound on how long anybody may take to notice."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HUGE = 2**40
"""Bytes; more than can be had, and nothing on the disk."""


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    place = Path.cwd()
    os.chdir(path.parent)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(place)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(_HUGE)


ODD: dict[str, Callable[[Path], None]] = {
    "a folder": _folder,
    "a pipe": _pipe,
    "a socket": _socket,
    "a link to a device without end": _endless,
    "a link to itself": _circle,
    "a file of a terabyte": _huge,
}
"""Makers of them, by what they are."""


class Waited(BaseException):
    """It took longer than anybody would wait; no ``except Exception`` hides it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise ``Waited`` in the main thread when what is inside takes longer."""

    def end(*_: object) -> None:
        raise Waited(f"still not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
