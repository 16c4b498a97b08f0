"""One question to a server on this machine that somebody else started, with one deadline for all of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from las_jupyter.limits.sockets import answering

_MOST = 64 * 1024


OfUser = Callable[[int], bool]
"""Whether a socket of the user with that number may be asked."""


class Reply(NamedTuple):
    """``code`` is 0 when it was no HTTP; ``head`` are the header lines, ``body`` at most 64 KiB of what follows."""

    code: int
    head: str
    body: str


def ask(port: int, path: str, of_user: OfUser, *, key: str | None = None, timeout: float = 1.0) -> Reply | None:
    """
    What 127.0.0.1:``port`` answers to GET ``path``; None when nobody listens there or nothing came in time.

    Nothing is sent, the key least of all, when ``of_user`` says no to the user at the other end, or it cannot be told.
    Never by a proxy of the environment and never after a redirect: it is this server that is asked.
    """
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            other = answering(port, connection.getsockname()[1])
            if other is None or not of_user(other.uid):
                return None
            connection.sendall(_request(path, port, key))
            data = _read(connection, deadline)
    except OSError:
        return None
    return _parsed(data) if data else None


def _request(path: str, port: int, key: str | None) -> bytes:
    allowed = f"Authorization: Bearer {key}\r\n" if key else ""
    # 1.0, so that the answer comes in one piece and ends with the connection.
    return (
        f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: las-jupyter\r\nAccept: */*\r\n{allowed}\r\n"
    ).encode()


def _read(connection: socket.socket, deadline: float) -> bytes:
    data = b""
    while len(data) < _MOST:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection.settimeout(left)
        try:
            got = connection.recv(8192)
        except TimeoutError:
            break
        if not got:
            break
        data += got
    return data


def _parsed(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    code = int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit() else 0
    return Reply(code, head.decode(errors="replace"), body.decode(errors="replace"))
