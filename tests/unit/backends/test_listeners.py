"""Whether a socket belongs to a tree."""

from __future__ import annotations

import os
import socket

import pytest

from las_jupyter.backends import listeners
from las_jupyter.backends.listeners import OpenSockets, owned_by
from las_jupyter.limits.sockets import Socket, answering
from las_jupyter.limits.tree import read_process

ME = os.getpid()
NOBODY = 2**22 + 1  # beyond the largest process id


def mine():
    return [read_process(ME)]


def test_a_tree_has_what_one_of_it_has_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = answering(server.getsockname()[1])

        assert owned_by([NOBODY, ME], found) is True
        assert owned_by([NOBODY], found) is False
        assert owned_by([], found) is False
        assert owned_by([ME], None) is None


@pytest.mark.parametrize(("uid", "told"), [(os.getuid(), None), (0, None), (4321, False)])
def test_where_a_process_may_not_be_looked_into_the_owner_of_the_socket_tells(monkeypatch, uid, told):
    monkeypatch.setattr(listeners, "held", lambda pid, inodes: None)

    assert owned_by([ME], Socket(b"\x7f\0\0\1", 8080, 7, uid)) is told


def test_what_a_tree_opens_to_the_network_is_told_at_the_first_look_and_at_every_other():
    looking = OpenSockets()
    assert not [each for each in looking.look(mine) if each.port == 1]
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        for _ in range(4):
            (found,) = [each for each in looking.look(mine) if each.port == port]

    assert (found.text, found.pid) == (f"0.0.0.0:{port}", ME)
    assert not [each for each in looking.look(mine) if each.port == port]


def test_what_is_somebody_elses_is_looked_for_twice_and_then_left():
    looks = []

    def nobody():
        looks.append(1)
        return []

    looking = OpenSockets()
    with socket.create_server(("0.0.0.0", 0)):
        for _ in range(5):
            assert looking.look(nobody) == ()

    assert len(looks) == 2


def test_what_is_opened_later_is_found_beside_what_is_somebody_elses():
    looking = OpenSockets()
    with socket.create_server(("0.0.0.0", 0)):
        for _ in range(3):
            looking.look(list)
        with socket.create_server(("0.0.0.0", 0)) as later:
            assert [each.port for each in looking.look(mine)] == [later.getsockname()[1]]
