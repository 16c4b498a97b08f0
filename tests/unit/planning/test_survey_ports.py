"""Who listens on a port."""

from __future__ import annotations

import getpass
import os
import pwd
import socket
import subprocess

import pytest

from las_jupyter.resources import ports
from las_jupyter.resources.ports import free_ports, listener, next_ports


def test_a_free_port_has_no_listener():
    assert listener(free_ports(1)[0]) is None


def test_a_listener_is_named_with_its_process():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert f"(pid {os.getpid()})" in (listener(server.getsockname()[1]) or "")


def test_where_the_process_cannot_be_seen_its_user_is_named(monkeypatch):
    monkeypatch.setattr(ports, "listening_pid", lambda _: None)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert listener(server.getsockname()[1]) == f"a program of user {getpass.getuser()}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program of somebody else")
def test_a_listener_of_somebody_else_is_named_with_its_user():
    serve = "import socket as s, time; a = s.create_server(('127.0.0.1', 0)); print(a.getsockname()[1], flush=True)"
    serve += "; time.sleep(60)"
    stranger = subprocess.Popen(["python3", "-c", serve], stdout=subprocess.PIPE, text=True, user=65534, cwd="/")
    assert stranger.stdout is not None
    try:
        told = listener(int(stranger.stdout.readline()))
    finally:
        stranger.kill()
        stranger.wait()

    assert told is not None
    assert told.endswith(f"(pid {stranger.pid}, user {pwd.getpwuid(65534).pw_name})")


def test_free_ports_are_different():
    assert len(set(free_ports(5))) == 5


def test_a_free_port_that_was_promised_to_somebody_is_passed_over():
    class EverythingBut:
        """All ports seen so far are promised."""

        seen: set[int]

        def __contains__(self, port: object) -> bool:
            assert isinstance(port, int)
            fresh = len(self.seen) < 3
            self.seen.add(port)
            return fresh

    promised = EverythingBut()
    promised.seen = set()

    assert len(free_ports(2, promised)) == 2
    assert len(promised.seen) == 5


def test_the_next_free_port_is_the_next_one():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        near = next_ports([port, port], {port + 1})[port]

        assert port + 1 < near <= port + 200
        assert listener(near) is None
