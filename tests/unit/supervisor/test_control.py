"""The control socket: whoever is on the other side, the loop goes on."""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path
from typing import Any

from las_jupyter.supervisor.control import Client, Control


def serve(control: Control, rounds: int = 5) -> None:
    """What the supervisor's loop does with a control."""
    for _ in range(rounds):
        poll = select.poll()
        poll.register(control.socket, select.POLLIN)
        for fd, client in control.clients.items():
            poll.register(fd, client.wants)
        for fd, events in poll.poll(20):
            if fd == control.socket.fileno():
                control.accept()
            elif fd in control.clients:
                control.serve(fd, events)


def control_at(path: Path) -> Control:
    def handle(request: dict[str, Any], client: Client) -> dict[str, Any]:
        if request.get("do") == "subscribe":
            client.subscribed = True
        if request.get("do") == "stop":
            control.publish({"snapshot": {"state": "stopping"}})
        return {"ok": True}

    control = Control(str(path), handle)
    return control


def connect(control: Control) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(2)
    sock.connect(control.path)
    return sock


def test_requests_are_answered_by_their_number(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    client = connect(control)
    client.sendall(b'{"id": 1, "do": "ping"}\n{"id": 2, "do": "ping"}\n')

    serve(control)

    answers = [json.loads(line) for line in client.recv(4096).splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2]
    control.close()
    client.close()


def test_nonsense_is_answered_and_does_not_end_the_connection(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    client = connect(control)
    client.sendall(b"nonsense\n[]\n\xff\n" + b'{"id": 3}\n')

    serve(control)

    answers = [json.loads(line) for line in client.recv(4096).splitlines()]
    assert [answer["ok"] for answer in answers] == [False, False, False, True]
    control.close()
    client.close()


def test_a_subscriber_that_hangs_up_while_its_command_is_told_harms_nobody(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    client, other = connect(control), connect(control)
    for each in (client, other):
        each.sendall(b'{"id": 1, "do": "subscribe"}\n')
    serve(control)
    client.sendall(b'{"id": 2, "do": "stop"}\n')
    client.close()

    serve(control)

    assert len(control.clients) == 1
    assert b"stopping" in other.recv(65536)
    control.close()
    other.close()


def test_a_client_that_never_reads_is_dropped_before_it_costs_memory(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    client = connect(control)
    client.sendall(b'{"id": 1, "do": "subscribe"}\n')
    serve(control)

    for _ in range(200):
        control.publish({"snapshot": {"x": "y" * 50_000}})

    assert control.clients == {}
    control.close()
    client.close()


def test_a_line_without_end_is_not_collected(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    client = connect(control)
    client.sendall(b"x" * 200_000)

    serve(control, 10)

    assert control.clients == {}
    control.close()
    client.close()


def test_the_socket_is_private_and_gone_after_the_end(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600

    control.close()

    assert not (tmp_path / "c").exists()
