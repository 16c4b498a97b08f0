"""Talking to a supervisor over its control socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

from las_jupyter.core import errors
from las_jupyter.core.errors import LasError, SupervisorUnreachable
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.wire import from_data
from las_jupyter.state import sockets

_ANSWER_WITHIN = 2.0
_KNOCK_AGAIN_AFTER = 0.01


def ask(path: str, do: str, *, timeout: float = _ANSWER_WITHIN, **words: Any) -> dict[str, Any]:
    """One request and its answer. Raises ``SupervisorUnreachable``, or ``LasError`` when the answer is no."""
    try:
        with _connect(path, timeout) as sock:
            sock.sendall(json.dumps({"id": 1, "do": do, **words}).encode() + b"\n")
            line = next(_lines(sock), None)
    except OSError as error:
        raise _unreachable(str(error) or type(error).__name__) from error
    if line is None:
        raise _unreachable("it hung up")
    answer: dict[str, Any] = json.loads(line)
    if not answer.get("ok"):
        problem = answer.get("error") or {}
        kind = getattr(errors, str(problem.get("type")), None)
        if not (isinstance(kind, type) and issubclass(kind, LasError)):
            kind = LasError
        said = str(problem.get("message", "The supervisor refused."))
        raise kind(said, cause=problem.get("cause"), remedy=problem.get("remedy"))
    return answer


def _unreachable(cause: str) -> SupervisorUnreachable:
    return SupervisorUnreachable("The supervisor does not answer.", cause=cause, remedy="%las status")


def _connect(path: str, timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    until = time.monotonic() + timeout
    while True:
        try:
            sockets.connect(sock, path)
            return sock
        except BlockingIOError:  # so many are waiting to be let in that the kernel takes no more
            if time.monotonic() >= until:
                sock.close()
                raise
            time.sleep(_KNOCK_AGAIN_AFTER)
        except OSError:
            sock.close()
            raise


def _lines(sock: socket.socket) -> Iterator[bytes]:
    rest = b""
    while data := sock.recv(65536):
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


class Subscription:
    """Changes of one instance as they happen; ``fileno`` can be polled."""

    def __init__(self, path: str) -> None:
        self._socket = _connect(path, _ANSWER_WITHIN)
        self._socket.sendall(b'{"id":1,"do":"subscribe"}\n')
        self._socket.setblocking(False)
        self._rest = b""
        self.ended = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def snapshots(self) -> list[Snapshot]:
        """The snapshots that came since the last call."""
        return [from_data(Snapshot, change["snapshot"]) for change in self.changes() if change.get("snapshot")]

    def changes(self) -> list[dict[str, Any]]:
        """What came since the last call."""
        try:
            data = self._socket.recv(262144)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        self._socket.close()
