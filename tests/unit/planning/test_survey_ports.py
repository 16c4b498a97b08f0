"""Who listens on a port."""

from __future__ import annotations

import os
import socket

from las_jupyter.resources.ports import free_ports, listener, next_ports


def test_a_free_port_has_no_listener():
    assert listener(free_ports(1)[0]) is None


def test_a_listener_is_named_with_its_process():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert f"(pid {os.getpid()})" in (listener(server.getsockname()[1]) or "")


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
