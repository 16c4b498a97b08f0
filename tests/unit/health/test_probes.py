"""Asking real sockets without waiting for them."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from las_jupyter.core.launch import CommandProbe, HttpProbe, LaunchSpec, LogProbe, Port, Probe, TcpProbe
from las_jupyter.core.states import Mode
from las_jupyter.health.answers import Answer, Word
from las_jupyter.health.probes import begin
from las_jupyter.logs.scan import Scanner

HTTP = HttpProbe(path="/health", ok=(200,), loading=(503,))
Say = Callable[[socket.socket], None]


class Commands:
    """The part of a running module that probes need."""

    def __init__(self, codes: list[int | None] | None = None) -> None:
        self.codes = codes or []

    def owns_connection(self, port: int, client: int) -> bool | None:
        return True

    def run_probe(self, argv: tuple[str, ...], timeout: float) -> int | None:
        if not self.codes:
            raise FileNotFoundError(2, "No such file or directory")
        return self.codes.pop(0)


@pytest.fixture
def listen() -> Iterator[Callable[[Say], int]]:
    """Start a server that says its piece to the first who comes."""
    servers, threads = list[socket.socket](), list[threading.Thread]()

    def one(say: Say) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            # Whoever asked may leave in the middle of an answer: that is what some tests are about.
            with contextlib.suppress(OSError), server:
                client, _ = server.accept()
                with client:
                    say(client)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield one
    for server in servers:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # wakes an accept nobody came to; closing does not
        server.close()
    for thread in threads:
        thread.join(5)


def ask(probe: Probe, port: int = 1, *, timeout: float = 2.0, running: Any = None, log: str = "") -> Answer:
    spec = LaunchSpec("x", "x", Mode.NATIVE, "native", ("x",), ports=(Port("http", port, port),))
    asking = begin(probe, spec, running or Commands(), Scanner(log), timeout)
    deadline = time.monotonic() + timeout + 2
    try:
        while time.monotonic() < deadline:
            answer = asking.advance()
            if answer is not None:
                return answer
            poll = select.poll()
            if asking.fileno() >= 0:
                poll.register(asking.fileno(), asking.events)
            poll.poll(20)
        raise AssertionError("it never answered")
    finally:
        asking.close()


def answering(text: bytes) -> Say:
    def say(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(text)

    return say


@pytest.mark.parametrize(
    ("line", "word"),
    [(b"HTTP/1.1 200 OK", Word.YES), (b"HTTP/1.1 503 Loading model", Word.LOADING), (b"HTTP/1.0 500 No", Word.NO)],
)
def test_the_status_code_is_the_answer(listen, line, word):
    assert ask(HTTP, listen(answering(line + b"\r\n\r\n"))).word is word


class Foreign(Commands):
    """A module whose port somebody else has, as far as that can be told."""

    def __init__(self, told: bool | OSError | None) -> None:
        super().__init__()
        self.told = told

    def owns_connection(self, port: int, client: int) -> bool | None:
        if isinstance(self.told, OSError):
            raise self.told
        return self.told


@pytest.mark.parametrize("probe", [HTTP, TcpProbe("http")])
@pytest.mark.parametrize(
    ("told", "word"), [(False, Word.FOREIGN), (None, Word.YES), (OSError(24, "Too many open files"), Word.UNASKED)]
)
def test_nothing_is_sent_before_it_is_known_who_answers(listen, probe, told, word):
    heard = []

    def hear(client: socket.socket) -> None:
        heard.append(client.recv(4096))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    answer = ask(probe, listen(hear), running=Foreign(told))

    assert answer.word is word
    if word is not Word.YES:
        assert heard in ([], [b""])


def test_a_redirect_is_not_followed(listen):
    port = listen(answering(b"HTTP/1.1 302 Found\r\nLocation: http://example.invalid/\r\n\r\n"))

    assert ask(HTTP, port).word is Word.NO


def test_a_port_nobody_listens_on_is_a_no_with_its_reason():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))

        assert ask(HTTP, free.getsockname()[1]) == Answer(Word.NO, "not listening yet")


def test_a_server_that_accepts_and_never_answers_is_a_no_at_the_deadline(listen):
    begun = time.monotonic()
    answer = ask(HTTP, listen(lambda client: client.recv(4096) and time.sleep(3)), timeout=0.3)

    assert answer == Answer(Word.NO, "no answer in time")
    assert time.monotonic() - begun < 1.5


def test_one_byte_a_while_does_not_stretch_the_deadline(listen):
    def drip(client: socket.socket) -> None:
        for _ in range(40):
            try:
                client.sendall(b"H")
            except OSError:
                return
            time.sleep(0.05)

    assert ask(HTTP, listen(drip), timeout=0.4).word is Word.NO


def test_what_does_not_speak_http_is_a_no(listen):
    assert "does not speak HTTP" in ask(HTTP, listen(answering(b"SSH-2.0-x\r\n"))).reason


def test_an_answer_without_end_is_cut(listen):
    def flood(client: socket.socket) -> None:
        try:
            while True:
                client.sendall(b"x" * 4096)
        except OSError:
            return

    assert ask(HTTP, listen(flood)).word is Word.NO


def test_a_tcp_probe_is_content_with_a_connection(listen):
    assert ask(TcpProbe("http"), listen(lambda client: None)).word is Word.YES


def test_a_probe_of_a_port_that_the_spec_lacks_cannot_be_asked():
    with pytest.raises(OSError, match="no port"):
        ask(TcpProbe("grpc"))


def test_a_command_answers_by_its_exit_code():
    assert ask(CommandProbe(("check",)), running=Commands([None, None, 0])).word is Word.YES
    assert ask(CommandProbe(("check",)), running=Commands([3])).word is Word.NO


def test_a_command_that_cannot_be_run_was_not_asked():
    assert ask(CommandProbe(("nothing",))).word is Word.UNASKED


def test_a_log_probe_finds_a_line_that_came_in_pieces(tmp_path: Path):
    log = tmp_path / "x.log"
    log.write_bytes(b"loading\nserver is rea")
    scanner = Scanner(str(log))
    assert not scanner.seen("is ready$")

    with log.open("ab") as file:
        file.write(b"dy\n")
    assert scanner.seen("is ready$")


def test_a_log_probe_answers(tmp_path: Path):
    log = tmp_path / "x.log"
    log.write_bytes(b"Application startup complete.\n")

    assert ask(LogProbe("startup complete"), log=str(log)).word is Word.YES
    assert ask(LogProbe("never"), log=str(log)).word is Word.NO
