"""The control socket: commands in, answers and changes out, one JSON object a line."""

from __future__ import annotations

import _socket as socket  # the module around it brings selectors and a hundred enums along
import json
import os
import select
from collections.abc import Callable
from typing import Any

from las_jupyter.core.wire import to_line

_LONGEST_LINE = 64 * 1024
_LONGEST_QUEUE = 4 * 1024 * 1024

Handler = Callable[[dict[str, Any], "Client"], dict[str, Any]]


class Client:
    """One connection. What it does not read in time is dropped with it: nobody can make us wait or swell."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.subscribed = False
        self._in = b""
        self._out = b""
        self.closed = False

    @property
    def wants(self) -> int:
        return select.POLLIN | (select.POLLOUT if self._out else 0)

    def send(self, data: dict[str, Any]) -> None:
        self._out += to_line(data)
        if len(self._out) > _LONGEST_QUEUE:
            self.close()
        else:
            self.flush()

    def flush(self) -> None:
        try:
            while self._out and not self.closed:
                self._out = self._out[self.socket.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def lines(self) -> list[bytes]:
        """The whole lines that came."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data or len(self._in) > _LONGEST_LINE:
            self.close()
            return []
        *lines, self._in = (self._in + data).split(b"\n")
        return lines

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.socket.close()


class Control:
    """Listens on ``path`` (mode 0600) and gives each request to ``handler``."""

    def __init__(self, path: str, handler: Handler) -> None:
        self.path = path
        self._handler = handler
        self.clients: dict[int, Client] = {}
        self.socket = _listen(path)
        self._inode = _inode(path)

    def reachable(self) -> bool:
        """Whether the socket's file is still there and still ours."""
        return _inode(self.path) == self._inode

    def open_again(self) -> None:
        """Listen anew after the socket's file was deleted. Raises ``OSError``."""
        if not self.reachable():
            fresh = _listen(self.path)
            self.socket.close()
            self.socket, self._inode = fresh, _inode(self.path)

    def accept(self) -> None:
        try:
            fd, _ = self.socket._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        self.clients[sock.fileno()] = Client(sock)

    def serve(self, fd: int, events: int) -> None:
        client = self.clients[fd]
        if events & select.POLLOUT:
            client.flush()
        if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            for line in client.lines():
                self._answer(client, line)
        if client.closed:
            self.clients.pop(fd, None)  # what it asked for may have been published, and found it closed, already

    def _answer(self, client: Client, line: bytes) -> None:
        try:
            request = json.loads(line)
            number = request.get("id")
        except (ValueError, AttributeError, RecursionError):
            client.send({"ok": False, "error": {"type": "BadRequest", "message": "That is no JSON object."}})
            return
        client.send({"id": number, **self._handler(request, client)})

    def publish(self, data: dict[str, Any]) -> None:
        for client in list(self.clients.values()):
            if client.subscribed:
                client.send(data)
        for fd, client in list(self.clients.items()):
            if client.closed:
                del self.clients[fd]

    def close(self) -> None:
        for client in self.clients.values():
            client.flush()
            client.close()
        self.socket.close()
        if self.reachable():
            try:
                os.unlink(self.path)
            except OSError:
                pass


def _listen(path: str) -> socket.socket:
    try:
        os.unlink(path)  # of a predecessor: we hold the lock
    except FileNotFoundError:
        pass
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        listening.bind(path)
        listening.listen(64)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None
