"""The control socket: whoever is on the other side, the loop goes on."""

from __future__ import annotations

import contextlib
import errno
import json
import select
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from las_jupyter.supervisor import control as control_module
from las_jupyter.supervisor.control import Client, Control


def serve(control: Control, rounds: int = 5) -> int:
    """What the supervisor's loop does with a control; in how many rounds something was to be done."""
    busy = 0
    for _ in range(rounds):
        poll = select.poll()
        control.register(poll)
        ready = poll.poll(0)  # what was sent to a socket of this kind is there at once
        busy += bool(ready)
        for fd, events in ready:
            if control.owns(fd):
                control.serve(fd, events)
        control.answer()
    return busy


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


def answers(client: socket.socket) -> list[Any]:
    return [json.loads(line) for line in client.recv(1 << 20).splitlines()]


def test_of_many_requests_at_once_one_is_answered_in_a_round_and_others_have_their_turn(tmp_path: Path) -> None:
    control = control_at(tmp_path / "c")
    greedy, modest = connect(control), connect(control)
    serve(control, 1)
    greedy.sendall(b"".join(b'{"id": %d}\n' % number for number in range(200)))
    modest.sendall(b'{"id": "modest"}\n')

    serve(control, 2)

    assert answers(modest) == [{"id": "modest", "ok": True}]
    assert len(answers(greedy)) <= 2
    serve(control, 200)
    assert answers(greedy)[-1]["id"] == 199
    control.close()
    greedy.close()
    modest.close()


def test_whoever_does_not_read_the_answers_gets_no_more_of_them(tmp_path: Path) -> None:
    asked = []

    def handle(request: dict[str, Any], client: Client) -> dict[str, Any]:
        asked.append(request)
        return {"ok": True, "snapshot": "x" * 50_000}

    control = Control(str(tmp_path / "c"), handle)
    client = connect(control)
    serve(control, 1)
    client.sendall(b"{}\n" * 10_000)

    busy = serve(control, 300)

    assert len(asked) < 20  # what the kernel holds between us
    assert busy < 50
    assert len(control.clients) == 1
    control.close()
    client.close()


def test_a_request_is_carried_out_though_its_client_hung_up_at_once(tmp_path: Path) -> None:
    done = []
    control = Control(str(tmp_path / "c"), lambda request, _: done.append(request["do"]) or {"ok": True})
    client = connect(control)
    client.sendall(b'{"do": "stop"}\n')
    client.close()

    serve(control)

    assert done == ["stop"]
    assert control.clients == {}
    control.close()


def test_of_too_many_connections_the_one_that_was_silent_longest_goes_and_listeners_go_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "_MOST_CLIENTS", 10)
    control = control_at(tmp_path / "c")
    listener = connect(control)
    listener.sendall(b'{"do": "subscribe"}\n')
    serve(control)
    listener.recv(4096)
    idle = [connect(control) for _ in range(30)]
    serve(control)
    newest = connect(control)
    newest.sendall(b'{"id": 5}\n')

    serve(control)

    assert len(control.clients) == 10
    assert answers(newest) == [{"id": 5, "ok": True}]
    control.publish({"snapshot": 1})
    assert b"snapshot" in listener.recv(4096)
    assert idle[0].recv(10) == b""
    control.close()
    for each in (listener, newest, *idle):
        each.close()


@pytest.mark.parametrize("problem", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM])
def test_when_nobody_can_be_let_in_the_loop_sleeps_and_tries_again(
    tmp_path: Path, problem: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = control_at(tmp_path / "c")
    real, refuse = control.socket, [True]

    class Refusing:
        def fileno(self) -> int:
            return real.fileno()

        def _accept(self) -> tuple[int, object]:
            if refuse[0]:
                raise OSError(problem, "no")
            return real._accept()  # type: ignore[attr-defined, no-any-return]

    monkeypatch.setattr(control, "socket", Refusing())
    client = connect(control)
    client.sendall(b'{"id": 1}\n')

    assert serve(control, 5) == 1  # the loop was not woken again
    assert 0 < control.patience <= 0.2
    refuse[0] = False
    monkeypatch.setattr(control, "_rests_until", 0.0)
    serve(control)
    assert answers(client) == [{"id": 1, "ok": True}]
    monkeypatch.undo()
    control.close()
    client.close()


def test_with_few_descriptors_some_are_kept_for_the_supervisor_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {"SC_OPEN_MAX": 1000}
    monkeypatch.setattr(control_module.os, "sysconf", limit.__getitem__)
    control = control_at(tmp_path / "c")
    clients = [connect(control) for _ in range(50)]
    serve(control)
    assert len(control.clients) == 50

    limit["SC_OPEN_MAX"] = 64
    clients.append(connect(control))
    serve(control)

    assert len(control.clients) == 32
    control.close()
    for each in clients:
        each.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    some.lists(
        some.one_of(some.binary(max_size=200), some.just(b'{"id": 1}\n'), some.just(b"\n"), some.just(b"x" * 70_000)),
        max_size=20,
    ),
    some.booleans(),
)
def test_whatever_is_sent_in_whatever_pieces_the_next_client_is_answered(
    tmp_path: Path, pieces: list[bytes], hangs_up: bool
) -> None:
    control = control_at(tmp_path / "c")
    client, other = connect(control), connect(control)
    client.setblocking(False)
    for piece in pieces:
        with contextlib.suppress(OSError):
            client.send(piece)
        serve(control, 1)
    if hangs_up:
        client.close()
    other.sendall(b'{"id": "other"}\n')

    serve(control, 10)

    assert answers(other) == [{"id": "other", "ok": True}]
    assert all(len(each._in) <= 128 * 1024 for each in control.clients.values())
    control.close()
    client.close()
    other.close()
