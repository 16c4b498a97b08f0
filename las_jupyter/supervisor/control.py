"""
The control socket: commands in, answers and changes out, one JSON object a line.

Nobody on the other side can make the supervisor wait, swell or spin: there are only so many connections, of each one
request is answered in a round of the loop, and none as long as its last answer was not read.
"""

from __future__ import annotations

import _socket as socket  # the module around it brings selectors and a hundred enums along
import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

from las_jupyter.core.wire import to_line
from las_jupyter.state.files import forget
from las_jupyter.state.paths import fits

_LONGEST_LINE = 64 * 1024
_LONGEST_QUEUE = 256 * 1024
_MOST_CLIENTS = 200
"""Each kernel with a panel holds one connection, each waiting start or stop another: a class of a hundred has room."""

_OWN_DESCRIPTORS = 32
"""Kept free of clients, for probes, files, the log, and an engine's connections."""

_FEWEST_CLIENTS = 4
_BACKLOG = 64
_REST = 0.2
"""Seconds in which nobody is let in after it failed for want of descriptors or memory that no client of ours has."""

_LONGEST_ROUND = 0.05
"""Seconds of answering, before probes, the module's end and deadlines have their turn."""

Handler = Callable[[dict[str, Any], "Client"], dict[str, Any]]


class Client:
    """One connection. What it does not read in time is dropped with it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.subscribed = False
        self.heard_at = time.monotonic()
        self._in = b""
        self._out = b""
        self._ended = False
        self.closed = False

    @property
    def wants(self) -> int:
        """What to poll for. Whoever has asked, or has not read yet, is not listened to."""
        if self._out:
            return select.POLLOUT
        return 0 if self.waits or self._ended else select.POLLIN

    @property
    def waits(self) -> bool:
        """Whether a whole request of it can be answered now."""
        return not self._out and not self.closed and b"\n" in self._in

    def send(self, line: bytes) -> None:
        self._out += line
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

    def serve(self, events: int) -> None:
        """Move on what ``events`` of poll say that can be moved."""
        if self._out:
            self.flush()
        elif not self.waits:
            self._receive()
        self._close_if_over()

    def _receive(self) -> None:
        try:
            data = self.socket.recv(_LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.heard_at = time.monotonic()
        self._in += data
        self._ended = not data
        if len(self._in) > _LONGEST_LINE and not self.waits:
            self.close()

    def request(self) -> bytes:
        """The next whole line, which ``waits`` has promised."""
        line, _, self._in = self._in.partition(b"\n")
        return line

    def answered(self) -> None:
        """Whoever hung up after its last request is gone now."""
        self._close_if_over()

    def _close_if_over(self) -> None:
        if self._ended and not self._out and b"\n" not in self._in:
            self.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.socket.close()


class Control:
    """Listens on ``path`` (mode 0600) and gives each request to ``handler``."""

    def __init__(self, path: str, handler: Handler) -> None:
        self.path = path
        self._bind, self._unlink = _ways_to(path)
        self._handler = handler
        self.clients: dict[int, Client] = {}
        self.socket = self._listen()
        self._inode = _inode(path)
        self._rests_until = 0.0

    def reachable(self) -> bool:
        """Whether the socket's file is still there and still ours."""
        return _inode(self.path) == self._inode

    def open_again(self) -> None:
        """Listen anew after the socket's file was deleted. Raises ``OSError``."""
        if not self.reachable():
            fresh = self._listen()
            self.socket.close()
            self.socket, self._inode = fresh, _inode(self.path)

    def _listen(self) -> socket.socket:
        self._unlink(self.path)  # of a predecessor: we hold the lock
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)
        try:
            self._bind(listening, self.path)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        finally:
            os.umask(before)
        return listening

    # ---- a round of the loop

    def register(self, poll: select.poll) -> None:
        """Say what to poll for."""
        if time.monotonic() >= self._rests_until:
            poll.register(self.socket, select.POLLIN)
        for fd, client in self.clients.items():
            poll.register(fd, client.wants)

    @property
    def patience(self) -> float:
        """Seconds the loop may sleep at most: none while requests wait."""
        if any(client.waits for client in self.clients.values()):
            return 0.0
        rest = self._rests_until - time.monotonic()
        return rest if rest > 0 else float("inf")

    def owns(self, fd: int) -> bool:
        """Whether what poll says of ``fd`` is for ``serve``."""
        return fd in self.clients or fd == self.socket.fileno()

    def serve(self, fd: int, events: int) -> None:
        """Do what poll says that can be done."""
        if fd == self.socket.fileno():
            self._let_in()
        else:
            self.clients[fd].serve(events)
            self._forget_closed()

    def answer(self) -> None:
        """Answer one request of each client that has one, of as many as there is time for; the others are next."""
        until = time.monotonic() + _LONGEST_ROUND
        for fd, client in list(self.clients.items()):
            if not client.waits:
                continue
            self.clients[fd] = self.clients.pop(fd)  # behind the others
            self._answer(client, client.request())
            client.answered()
            if time.monotonic() >= until:
                break
        self._forget_closed()

    # ---- who is let in

    def _let_in(self) -> None:
        for _ in range(_BACKLOG):
            try:
                fd, _ = self.socket._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError:  # no descriptor for it, or no memory
                if not self._make_room():
                    self._rests_until = time.monotonic() + _REST
                    return
                continue
            sock = socket.socket(fileno=fd)
            sock.setblocking(False)
            self.clients[sock.fileno()] = Client(sock)
            while len(self.clients) > _most_clients():
                self._make_room()

    def _make_room(self) -> bool:
        """Part with whoever was silent for longest, those who listen to changes last; whether there was anybody."""
        if not self.clients:
            return False
        client = min(self.clients.values(), key=lambda each: (each.subscribed, each.heard_at))
        client.close()
        self._forget_closed()
        return True

    def _forget_closed(self) -> None:
        # What one asked for may have been published, and found another one closed.
        for fd in [fd for fd, client in self.clients.items() if client.closed]:
            del self.clients[fd]

    # ---- what is said

    def _answer(self, client: Client, line: bytes) -> None:
        try:
            request = json.loads(line)
            number = request.get("id")
        except (ValueError, AttributeError, RecursionError):
            problem = {"type": "BadRequest", "message": "That is no JSON object."}
            client.send(to_line({"ok": False, "error": problem}))
            return
        client.send(to_line({"id": number, **self._handler(request, client)}))

    def publish(self, data: dict[str, Any]) -> None:
        """Tell everybody who listens to changes."""
        listeners = [client for client in self.clients.values() if client.subscribed]
        line = to_line(data) if listeners else b""
        for client in listeners:
            client.send(line)
        self._forget_closed()

    def close(self) -> None:
        for client in self.clients.values():
            client.flush()
            client.close()
        self.socket.close()
        if self.reachable():
            try:
                self._unlink(self.path)
            except OSError:
                pass


def _most_clients() -> int:
    """By what this process may open, which somebody may change while it runs; -1 for any number."""
    most = os.sysconf("SC_OPEN_MAX")
    return _MOST_CLIENTS if most < 0 else max(_FEWEST_CLIENTS, min(_MOST_CLIENTS, most - _OWN_DESCRIPTORS))


def _ways_to(path: str) -> tuple[Callable[[socket.socket, str], None], Callable[[str], None]]:
    """How a socket at ``path`` is bound and removed; most paths are short, and do without what the others need."""
    if fits(path):
        return socket.socket.bind, forget
    from las_jupyter.state import sockets

    return sockets.bind, sockets.unlink


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return None
