"""A server that nobody asked to be open to the network is not: what its whole tree listens on is measured."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from native_house import House, eventually, free_port

from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import LogProbe, ReadyRule, RestartRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState, ProcessState, RestartPolicy
from las_jupyter.limits import sockets

pytestmark = pytest.mark.native


def has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


OPEN = ["0.0.0.0", *(["::"] if has_ipv6() else [])]


@pytest.fixture
def stopped(house: House) -> Callable[[], Snapshot]:
    """The instance once it was stopped, with a failure."""
    return lambda: house.until(ProcessState.FAILED)


@pytest.mark.parametrize("address", OPEN)
def test_a_server_that_ignores_the_address_it_is_given_never_becomes_ready(house, address):
    spec = house.spec(f"host={address}", served=True)
    house.manager.start(spec, {})

    with pytest.raises(LaunchFailed) as caught:
        house.manager.wait_ready("one", timeout=20)

    shown = f"[{address}]" if ":" in address else address
    assert f"it listens on {shown}:{spec.ports[0].host}" in (caught.value.cause or "")
    assert "open to the network, which nobody asked for" in (caught.value.cause or "")
    assert f"leave out host={address};" in (caught.value.remedy or "")
    assert "--expose" in (caught.value.remedy or "")
    assert house.manager.snapshot("one").ready_at is None


@pytest.mark.parametrize("where", ["main", "child"])
def test_one_that_opens_later_and_elsewhere_is_stopped(house, stopped, tmp_path, where):
    port = free_port()
    house.start(f"also=0.0.0.0:{port}", f"also_in={where}", f"also_after={tmp_path / 'go'}", served=True)
    (tmp_path / "go").touch()

    told = stopped()

    assert f"it listens on 0.0.0.0:{port}" in told.reason
    assert "process" in told.reason
    eventually(lambda: sockets.answering(port) is None, "nobody listens any more")


def test_one_that_is_open_and_never_ready_is_stopped(house, stopped):
    spec = house.spec(f"also=0.0.0.0:{free_port()}")._replace(ready=ReadyRule(LogProbe("^never$")))
    house.manager.start(spec, {})

    assert "open to the network" in stopped().reason


def test_an_address_of_one_network_card_is_the_network_too(house, stopped):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address beyond loopback")
        address = probe.getsockname()[0]
    house.manager.start(house.spec(f"also={address}:{free_port()}"), {})

    assert f"it listens on {address}:" in stopped().reason


@pytest.mark.parametrize("policy", [RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE])
def test_it_is_not_restarted_to_be_open_again(house, stopped, policy):
    rule = RestartRule(policy, first=0.01)
    house.manager.start(house.spec(f"also=0.0.0.0:{free_port()}", restart=rule), {})

    told = stopped()
    assert told.generation == 1


def test_who_asked_to_be_exposed_is(house):
    house.start("host=0.0.0.0", served=True, exposed=True)
    pid = house.manager.snapshot("one").pid
    house.kill_supervisor()  # the look comes at once after a takeover

    told = house.manager.snapshot("one")
    assert (told.state, told.pid) == (ProcessState.RUNNING, pid)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", *(["::1", "::ffff:127.0.0.1"] if has_ipv6() else [])])
def test_what_only_this_machine_reaches_is_nobodys_business(house, address):
    port = free_port()
    house.start(f"also={address}:{port}", served=True)
    eventually(lambda: any(each.port == port for each in sockets.listening()), "it listens")
    house.kill_supervisor()

    def well() -> bool:
        return house.manager.snapshot("one").health.state is HealthState.HEALTHY

    eventually(well, "it was looked at and left alone")
    assert house.manager.snapshot("one").state is ProcessState.RUNNING


def test_an_open_server_of_somebody_else_is_not_held_against_it(house):
    with socket.create_server(("0.0.0.0", 0)):
        house.start(served=True)
        house.kill_supervisor()

        assert house.manager.snapshot("one").state is ProcessState.RUNNING


def test_a_server_that_opens_while_nobody_supervises_it_is_stopped_by_the_next_supervisor(house, stopped, tmp_path):
    port = free_port()
    house.start(f"also=0.0.0.0:{port}", f"also_after={tmp_path / 'go'}", served=True)
    os.kill(house.manager.snapshot("one").supervisor_pid, 9)
    (tmp_path / "go").touch()
    eventually(lambda: sockets.answering(port), "it is open")

    assert "open to the network" in stopped().reason
