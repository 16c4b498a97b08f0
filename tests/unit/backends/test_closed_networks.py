"""Which networks close a container, who closes them, and what is said where nobody can."""

from __future__ import annotations

import os
from typing import Any

import pytest
from docker import errors

from las_jupyter.backends import docker_network, podman
from las_jupyter.backends.docker import DockerEngine
from las_jupyter.backends.docker_network import drop_network, ensure_network, network_name
from las_jupyter.backends.oci import OWNER
from las_jupyter.backends.oci_errors import explain
from las_jupyter.backends.podman import PodmanEngine
from las_jupyter.core.errors import LaunchFailed


class Api:
    """As much of Docker's client as a network needs."""

    def __init__(self, version: str = "1.41") -> None:
        self._version = api_version = version
        self.api_version = api_version
        self.networks: dict[str, dict[str, Any]] = {
            "bridge": {"Options": {"com.docker.network.bridge.name": "docker0"}}
        }

    def inspect_network(self, name: str) -> dict[str, Any]:
        if name not in self.networks:
            raise errors.NotFound("no such network")
        return self.networks[name]

    def create_network(self, name: str, **made: Any) -> None:
        if name in self.networks:
            raise errors.APIError("network with that name already exists")
        self.networks[name] = {"Options": made["options"], "Labels": made["labels"]}

    def remove_network(self, name: str) -> None:
        del self.networks[name]

    def version(self) -> dict[str, str]:
        return {"Version": "20.10.24+dfsg1"}

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[tuple[str, ...]]:
    """The rules that stand, of a root who may write them."""
    kept: list[tuple[str, ...]] = []

    def iptables(what: str, rule: tuple[str, ...]) -> tuple[bool, str]:
        known = rule in kept
        if what == "-I":
            kept.append(rule)
        if what == "-D" and known:
            kept.remove(rule)
        return known or what == "-I", ""

    monkeypatch.setattr(docker_network, "_iptables", iptables)
    monkeypatch.setattr(docker_network, "_may_filter", lambda: True)
    monkeypatch.setattr(docker_network, "is_here", lambda bridge=None: True)
    monkeypatch.setattr(docker_network, "_LOCK", str(tmp_path / "lock"))
    return kept


def test_containers_share_a_network_in_which_none_reaches_another(rules):
    api = Api()

    assert ensure_network(api) == f"las-{os.getuid()}" == ensure_network(api)

    made = api.networks[network_name()]
    assert made["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert made["Labels"] == {OWNER: str(os.getuid())}


def test_the_longest_user_id_still_names_a_bridge(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 2**32 - 2)

    assert len(network_name()) <= 15  # IFNAMSIZ is 16, the end of the string included


def test_before_docker_28_root_closes_it_by_rules_that_go_with_the_network(rules):
    api = Api()

    ensure_network(api)
    ensure_network(api)
    assert len(rules) == len(set(rules)) == 2
    assert all(network_name() in rule for rule in rules)

    drop_network(api)
    assert (network_name() in api.networks, rules) == (False, [])


def test_from_docker_28_on_nothing_is_added_to_what_it_does_itself(rules):
    ensure_network(Api("1.48"))

    assert rules == []


def test_a_network_that_others_of_ours_are_on_stays(rules):
    api = Api()
    ensure_network(api)
    api.networks[network_name()]["Containers"] = {"abc": {}}

    drop_network(api)

    assert network_name() in api.networks
    assert len(rules) == 2


@pytest.mark.parametrize(
    "foreign",
    [
        {"Options": {}, "Labels": {OWNER: str(os.getuid())}},
        {"Options": {"com.docker.network.bridge.enable_icc": "false"}, "Labels": {}},
        {"Options": {"com.docker.network.bridge.enable_icc": "false"}, "Labels": {OWNER: "4711"}},
        {"Options": None, "Labels": None},
    ],
)
def test_a_network_of_that_name_that_is_not_as_ours_is_neither_used_nor_removed(rules, foreign):
    api = Api()
    api.networks[network_name()] = foreign

    with pytest.raises(LaunchFailed, match="was not created") as caught:
        ensure_network(api)
    drop_network(api)

    assert "it was not touched" in str(caught.value.cause)
    assert caught.value.remedy == f"docker network rm {network_name()}"
    assert api.networks[network_name()] is foreign


def test_two_first_starts_at_once_share_what_one_of_them_made(rules):
    api = Api()

    class Later(Api):
        def inspect_network(self, name: str) -> dict[str, Any]:
            if network_name() not in api.networks:
                options = {"com.docker.network.bridge.enable_icc": "false"}
                # The other one, between our look and our making it.
                api.create_network(name, options=options, labels={OWNER: str(os.getuid())})
                raise errors.NotFound("no such network")
            return api.inspect_network(name)

        def create_network(self, name: str, **made: Any) -> None:
            api.create_network(name, **made)

    assert ensure_network(Later()) == network_name()


def test_a_network_that_cannot_be_closed_is_not_used(rules, monkeypatch):
    monkeypatch.setattr(docker_network, "_iptables", lambda what, rule: (False, "no such table"))

    with pytest.raises(Exception, match="cannot be closed to other machines: iptables says no such table"):
        ensure_network(Api())


@pytest.fixture
def docker_of(monkeypatch):
    def make(api: Api, endpoint: str = "unix:///proc/version") -> DockerEngine:  # a file of root's
        engine = DockerEngine(endpoint)
        monkeypatch.setattr(engine, "_client", lambda timeout=0: api)
        return engine

    return make


def test_docker_before_28_is_told_to_be_open_to_whoever_is_not_root(docker_of, monkeypatch):
    monkeypatch.setattr(docker_network, "_may_filter", lambda: False)

    why = docker_of(Api()).why_reachable()

    assert "Docker 20.10.24 passes on what a machine that routes to its containers' network sends" in why.reason
    assert "Docker 28" in why.remedy


def test_docker_28_and_an_engine_without_root_are_closed_for_everybody(docker_of, monkeypatch, tmp_path):
    monkeypatch.setattr(docker_network, "_may_filter", lambda: False)
    sock = tmp_path / "docker.sock"
    sock.touch()
    monkeypatch.setattr(
        os, "stat", lambda path, stat=os.stat: _of(1000, stat(path)) if path == str(sock) else stat(path)
    )

    assert docker_of(Api("1.48")).why_reachable() is None
    assert docker_of(Api(), f"unix://{sock}").why_reachable() is None


def _of(uid: int, found: os.stat_result) -> os.stat_result:
    return os.stat_result((*found[:4], uid, *found[5:]))


@pytest.mark.parametrize("elsewhere", ["tcp://10.0.0.1:2375", "ssh://me@there", "unix:///proc/version"])
def test_root_cannot_close_an_engine_whose_bridges_are_not_here(docker_of, monkeypatch, elsewhere):
    monkeypatch.setattr(docker_network, "_may_filter", lambda: True)
    monkeypatch.setattr(docker_network, "is_here", lambda bridge=None: False)

    assert docker_of(Api(), elsewhere).why_reachable() is not None


@pytest.mark.parametrize(
    ("programs", "uid", "tun", "network"),
    [
        ({"slirp4netns", "pasta"}, 0, True, "slirp4netns"),
        ({"slirp4netns"}, 1000, True, "slirp4netns"),
        ({"pasta"}, 1000, True, "pasta"),
        ({"pasta"}, 0, True, "bridge"),
        (set(), 0, True, "bridge"),
        ({"slirp4netns"}, 0, False, "bridge"),
        (set(), 1000, True, "slirp4netns"),
    ],
)
def test_podman_takes_a_network_that_nobody_can_route_to_where_it_has_one(monkeypatch, programs, uid, tun, network):
    monkeypatch.setattr(podman.shutil, "which", lambda name, path=None: name if name in programs else None)
    monkeypatch.setattr(podman.os, "geteuid", lambda: uid)
    monkeypatch.setattr(podman.os.path, "exists", lambda path: tun)

    assert podman.network() == network
    assert (PodmanEngine().why_reachable() is not None) == (network == "bridge")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
         "no range of addresses left"),
        ("all predefined address pools have been fully subnetted", "no range of addresses left"),
        ("cannot create network ab (las-0): conflicts with network cd (mine): networks have same bridge name",
         "has the bridge"),
        ('slirp4netns failed: "open("/dev/net/tun"): No such file or directory"', "could not make its network"),
    ],
)  # fmt: skip
def test_what_an_engine_says_of_networks_is_told_with_its_cure(said, cause):
    error = explain("one", "docker", said)

    assert cause in str(error.cause)
    assert error.remedy
