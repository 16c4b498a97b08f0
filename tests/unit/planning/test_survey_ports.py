"""Who listens on a port."""

from __future__ import annotations

import os
import socket

from las_jupyter.resources.ports import free_ports, listener


def test_a_free_port_has_no_listener():
    assert listener(free_ports(1)[0]) is None


def test_a_listener_is_named_with_its_process():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        assert f"(pid {os.getpid()})" in (listener(server.getsockname()[1]) or "")


def test_free_ports_are_different():
    assert len(set(free_ports(5))) == 5
