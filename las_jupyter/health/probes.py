"""
Asking without waiting: each probe is a small machine that a poll loop moves on.

Always 127.0.0.1 and never a proxy, a redirect or a name; one deadline for connecting, asking and answering; of the
answer no more than 4 KiB are read. Nothing is sent before it is known that the other end of the connection belongs to
the instance: a question may carry its key.
"""

from __future__ import annotations

import _socket as socket  # the module around it brings selectors and a hundred enums along
import errno
import select
import time

from las_jupyter.core.backend import Running
from las_jupyter.core.launch import CommandProbe, HttpProbe, LaunchSpec, LogProbe, Probe, Progress, TcpProbe
from las_jupyter.health.answers import Answer, Word
from las_jupyter.logs.scan import Scanner

_MOST = 4096
_AT_ONCE = 64 * 1024
_LARGEST_PAGE = 1024 * 1024
_NOT_YET = Answer(Word.NO, "not listening yet")


class Asking:
    """A question under way. ``fileno`` is -1 when there is nothing to poll for and ``advance`` just wants calling."""

    def __init__(self, timeout: float) -> None:
        self.deadline = time.monotonic() + timeout
        self.events = 0

    def fileno(self) -> int:
        return -1

    def advance(self) -> Answer | None:
        """The answer once there is one."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop asking."""


class _Connecting(Asking):
    def __init__(self, port: int, running: Running, timeout: float) -> None:
        super().__init__(timeout)
        self._port, self._running = port, running
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.events = select.POLLOUT
        self._connected = False
        self._problem = self._socket.connect_ex(("127.0.0.1", port))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def advance(self) -> Answer | None:
        if time.monotonic() >= self.deadline:
            return Answer(Word.NO, "no answer in time")
        if not self._connected:
            problem = self._problem
            if problem == errno.EINPROGRESS:
                problem = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not problem and not _writable(self._socket):
                    return None
            if problem == errno.ECONNREFUSED:
                return _NOT_YET
            if problem:
                return Answer(Word.UNASKED, f"could not ask: {errno.errorcode.get(problem, problem)}")
            self._connected = True
            try:
                ours = self._running.owns_connection(self._port, self._socket.getsockname()[1])
            except OSError as error:
                return Answer(Word.UNASKED, f"could not tell who answers: {error.strerror}")
            if ours is False:
                return Answer(Word.FOREIGN, f"its port {self._port} is answered by a stranger")
        return self._converse()

    def _converse(self) -> Answer | None:
        return Answer(Word.YES, f"port {self._port} accepts connections")


def _writable(sock: socket.socket) -> bool:
    return bool(select.select([], [sock], [], 0)[1])


class _Http(_Connecting):
    def __init__(self, probe: HttpProbe, port: int, running: Running, timeout: float) -> None:
        super().__init__(port, running, timeout)
        self._probe = probe
        self._left = _request(probe.path, port)
        self._got = b""

    def _converse(self) -> Answer | None:
        try:
            while self._left:
                self._left = self._left[self._socket.send(self._left) :]
            self.events = select.POLLIN
            got = self._socket.recv(_MOST)
        except BlockingIOError:
            return None
        except OSError as error:
            return Answer(Word.NO, f"the connection broke ({errno.errorcode.get(error.errno or 0, 'unknown')})")
        self._got += got
        if b"\r\n" in self._got or not got or len(self._got) > _MOST:
            return self._judge(self._got.split(b"\r\n", 1)[0])
        return None

    def _judge(self, line: bytes) -> Answer:
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
            return Answer(Word.NO, "what answers does not speak HTTP")
        code = int(words[1])
        if code in self._probe.ok:
            return Answer(Word.YES, f"{self._probe.path} answers {code}")
        if code in self._probe.loading:
            return Answer(Word.LOADING, f"{self._probe.path} answers {code}: loading")
        return Answer(Word.NO, f"{self._probe.path} answers {code}")


def _request(path: str, port: int, key: str | None = None) -> bytes:
    allowed = f"Authorization: Bearer {key}\r\n" if key else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: las-jupyter\r\n"
        f"Accept: */*\r\n{allowed}Connection: close\r\n\r\n"
    ).encode()


class Page(_Connecting):
    """
    Asks for a page of metrics. The answer is a YES with the page as its reason, FOREIGN when a stranger has the port,
    and UNASKED for all else: a server that does not tell of its work is not ill for that.
    """

    def __init__(self, path: str, port: int, running: Running, timeout: float, key: str | None = None) -> None:
        super().__init__(port, running, timeout)
        self._left = _request(path, port, key)
        self._path, self._got = path, b""

    def advance(self) -> Answer | None:
        answer = super().advance()
        if answer is not None and answer.word not in (Word.YES, Word.FOREIGN):
            return Answer(Word.UNASKED, f"could not ask for {self._path}: {answer.reason}")
        return answer

    def _converse(self) -> Answer | None:
        try:
            while self._left:
                self._left = self._left[self._socket.send(self._left) :]
            self.events = select.POLLIN
            got = self._socket.recv(_AT_ONCE)
            while got and len(self._got) <= _LARGEST_PAGE:
                self._got += got
                got = self._socket.recv(_AT_ONCE)
        except BlockingIOError:
            return None
        except OSError as error:
            return Answer(Word.NO, f"the connection broke ({errno.errorcode.get(error.errno or 0, 'unknown')})")
        return self._read()

    def _read(self) -> Answer:
        head, _, body = self._got.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if len(words) < 2 or words[1] != b"200":
            return Answer(Word.NO, "it is not served")
        if b"transfer-encoding: chunked" in head.lower() or len(self._got) > _LARGEST_PAGE:
            return Answer(Word.NO, "it comes in pieces or is too large")
        return Answer(Word.YES, body.decode(errors="replace"))


def begin_page(rule: Progress, spec: LaunchSpec, running: Running, secrets: dict[str, str], timeout: float) -> Asking:
    """Begin to ask for the metrics of ``rule``, with the instance's key if it has one. Raises ``OSError``."""
    return Page(rule.path, _host_port(spec, rule.port), running, timeout, secrets.get("api_key"))


class _Command(Asking):
    def __init__(self, probe: CommandProbe, running: Running, timeout: float) -> None:
        super().__init__(timeout)
        self._argv, self._running, self._timeout = probe.argv, running, timeout

    def advance(self) -> Answer | None:
        try:
            code = self._running.run_probe(self._argv, self._timeout)
        except OSError as error:
            return Answer(Word.UNASKED, f"{self._argv[0]} cannot be run: {error.strerror}")
        if code is None:
            return None
        return Answer(Word.YES if code == 0 else Word.NO, f"{self._argv[0]} ended with {code}")


class _Log(Asking):
    def __init__(self, probe: LogProbe, scanner: Scanner) -> None:
        super().__init__(1.0)
        self._pattern, self._scanner = probe.pattern, scanner

    def advance(self) -> Answer | None:
        if self._scanner.seen(self._pattern):
            return Answer(Word.YES, "the log says so")
        return Answer(Word.NO, "the log does not say so yet")


def begin(probe: Probe, spec: LaunchSpec, running: Running, scanner: Scanner, timeout: float) -> Asking:
    """Begin to ask. Raises ``OSError`` when not even a socket can be had: that is not an answer."""
    match probe:
        case HttpProbe():
            return _Http(probe, _host_port(spec, probe.port), running, timeout)
        case TcpProbe():
            return _Connecting(_host_port(spec, probe.port), running, timeout)
        case CommandProbe():
            return _Command(probe, running, timeout)
        case LogProbe():
            return _Log(probe, scanner)


def _host_port(spec: LaunchSpec, name: str) -> int:
    port = spec.port(name)
    if port is None:
        raise OSError(errno.EINVAL, f"the spec has no port {name}")
    return port.host
