"""Who listens on this machine, by both ways of asking the kernel."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.limits import socket_files, sockets
from las_jupyter.limits.sockets import answering, is_loopback, listening

V6_ONLY = 26
IPV6 = Path("/proc/net/if_inet6").exists()
ADDRESSES = ["127.0.0.1", "0.0.0.0", *(["::", "::ffff:127.0.0.1"] if IPV6 else [])]


@pytest.fixture(params=["asked", "read"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kernel is asked, or its files are read."""
    if request.param == "asked" and not sockets._has_diag():
        pytest.skip("this kernel cannot be asked for single sockets")
    monkeypatch.setattr(sockets, "_works", [request.param == "asked"])
    return str(request.param)


def inode(each: socket.socket) -> int:
    return os.fstat(each.fileno()).st_ino


@contextlib.contextmanager
def listener(address: str, port: int = 0) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as made:
        if ":" in address:
            made.setsockopt(socket.IPPROTO_IPV6, V6_ONLY, 0)
        made.bind((address, port))
        made.listen()
        yield made


@pytest.mark.parametrize("address", ADDRESSES)
def test_whoever_answers_on_a_port_is_found_whichever_address_it_listens_on(address):
    with listener(address) as server:
        found = answering(server.getsockname()[1])

        assert found is not None
        assert (found.inode, found.uid, found.listens) == (inode(server), os.getuid(), True)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_connection_belongs_to_its_listener_until_it_is_accepted_and_then_to_who_accepted_it(address):
    with listener(address) as server, socket.create_connection(("127.0.0.1", server.getsockname()[1])) as client:
        port, mine = server.getsockname()[1], client.getsockname()[1]
        waiting = answering(port, mine)
        with server.accept()[0] as accepted:
            taken = answering(port, mine)

            assert waiting is not None
            assert taken is not None
            assert (waiting.inode, taken.inode) == (inode(server), inode(accepted))


def test_a_connection_stays_with_who_accepted_it_though_somebody_else_listens_by_now():
    with socket.create_server(("127.0.0.1", 0)) as first:  # as servers do: a port is free though it has connections
        port = first.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = first.accept()
    with socket.create_server(("127.0.0.1", port)) as second:
        found, fresh = answering(port, client.getsockname()[1]), answering(port)

        assert found is not None
        assert fresh is not None
        assert (found.inode, fresh.inode) == (inode(accepted), inode(second))
    client.close()
    accepted.close()


@pytest.mark.parametrize("other", ["127.0.0.2", *(["::1"] if IPV6 else [])])
def test_a_listener_on_another_address_of_the_same_number_does_not_answer(other):
    with listener(other) as elsewhere:
        port = elsewhere.getsockname()[1]
        assert answering(port) is None
        with listener("127.0.0.1", port) as here:
            found = answering(port)

            assert found is not None
            assert found.inode == inode(here)


def test_nobody_is_nobody():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert answering(bound.getsockname()[1]) is None


@pytest.mark.parametrize("address", [*ADDRESSES, "127.9.8.7", *(["::1"] if IPV6 else [])])
def test_all_that_listen_are_told_with_their_addresses(address):
    with listener(address) as server:
        found = next(each for each in listening() if each.inode == inode(server))

    shown = f"[{address}]" if ":" in address else address
    assert found.text == f"{shown}:{found.port}"
    assert is_loopback(found.address) is (address not in ("0.0.0.0", "::"))


def test_both_ways_see_the_same():
    with listener("0.0.0.0"), listener("127.0.0.1"):
        inodes = {each.inode for each in socket_files.listening()}

        assert {each.inode for each in listening()} == inodes


@given(st.binary(min_size=4, max_size=4))
def test_of_version_4_all_that_begin_with_127_and_nothing_else_is_this_machine(address):
    mapped = bytes(10) + b"\xff\xff" + address

    assert is_loopback(address) is is_loopback(mapped) is (address[0] == 127)


@given(st.binary(min_size=16, max_size=16).filter(lambda address: not address.startswith(sockets.MAPPED)))
def test_of_version_6_one_address_is(address):
    assert is_loopback(address) is (address == bytes(15) + b"\1")
