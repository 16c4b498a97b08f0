"""Containers are reached from this machine and from nowhere else, however the machine next door routes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
from containers import BASE, ask, ready_engine
from native_house import eventually, free_port
from neighbour import OURS, Neighbour, neighbour

from las_jupyter.backends.docker import DockerEngine
from las_jupyter.backends.docker_network import ensure_network
from las_jupyter.backends.oci_running import OciRunning
from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.launch import ContainerSpec, LaunchSpec, Port
from las_jupyter.core.states import Mode

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
# Podman's network is the container's own and ends with it.
ONLY_DOCKER = pytest.mark.parametrize("engine", ENGINES[:1], indirect=True)
INNER = 8080
ALWAYS_ANSWERS = f"while :; do echo 'HTTP/1.0 200 OK' | nc -l -p {INNER}; done"

Serve = Callable[..., OciRunning]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    ready_engine(name)
    return name


@pytest.fixture(params=["ACCEPT", "DROP"])
def next_door(request: pytest.FixtureRequest, engine: str) -> Iterator[Neighbour]:
    del engine  # it is there first: an engine begins with having the machine forward packets
    with neighbour(request.param) as machine:
        yield machine


@pytest.fixture
def serve(engine: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts a container with one published port; all are gone afterwards."""
    started: list[OciRunning] = []

    def start(script: str = ALWAYS_ANSWERS, port: int = 0, *, exposed: bool = False) -> OciRunning:
        name = f"door-{os.getpid()}-{len(started)}"
        folder = tmp_path / name
        folder.mkdir()
        log = folder / "0001.log"
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        spec = LaunchSpec(
            name, "script", Mode.CONTAINER, engine, ("sh", "-c", script), exposed=exposed,
            ports=(Port("http", port, INNER),) if port else (),
            container=ContainerSpec(BASE, user="65534:65534", pull="never"),
        )  # fmt: skip
        files = StartFiles(str(folder), str(log), fd, 1, str(tmp_path))
        running = load_backend(engine).launch(spec, secrets={}, files=files)
        assert isinstance(running, OciRunning)
        started.append(running)
        return running

    yield start
    for running in started:
        end(running)


def end(running: OciRunning) -> None:
    running.insist()
    eventually(lambda: running.exit() is not None, "it ended", within=30)
    running.close()


def here_reaches(port: int) -> bool:
    """Whether its server answers on this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as there:
            there.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return bool(there.recv(1))
    except OSError:
        return False


def addresses(running: OciRunning) -> list[str]:
    """All that the container has, as it sees itself."""
    words = ["nsenter", "-t", str(running.pid), "--net", "ip", "-json", "-4", "addr"]
    rows = json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)
    return [each["local"] for row in rows if row["ifname"] != "lo" for each in row["addr_info"]]


def test_a_neighbour_reaches_no_address_and_no_port_of_a_container(next_door: Neighbour, serve: Serve) -> None:
    port = free_port()
    running = serve(port=port)
    eventually(lambda: here_reaches(port), "this machine reaches it")

    doors = [(address, number) for address in (*addresses(running), OURS, "127.0.0.1") for number in (INNER, port)]
    with ThreadPoolExecutor() as at_once:
        opened = list(at_once.map(lambda door: next_door.reaches(*door), doors))

    assert [door for door, it_opened in zip(doors, opened, strict=True) if it_opened] == []
    assert here_reaches(port)


def test_a_neighbour_reaches_an_exposed_server_at_its_port_alone(next_door: Neighbour, serve: Serve) -> None:
    port = free_port()
    running = serve(port=port, exposed=True)

    eventually(lambda: next_door.reaches(OURS, port), "the neighbour reaches it")

    assert not any(next_door.reaches(address, INNER) for address in addresses(running))


def test_another_container_does_not_reach_it(engine: str, serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    running = serve(port=port)
    eventually(lambda: here_reaches(port), "this machine reaches it")
    tries = "; ".join(f"nc -w 1 {address} {INNER} </dev/null" for address in addresses(running))

    told = ask(engine, "run", "--rm", "--network", "bridge", BASE, "sh", "-c", f"{tries}; echo tried")
    ours = serve(f"{tries}; echo tried")
    eventually(lambda: ours.exit() is not None, "ours has tried", within=30)

    assert told == "tried"
    assert next(tmp_path.glob("door-*-1/0001.log")).read_text().endswith("tried\n")
    assert "200 OK" not in next(tmp_path.glob("door-*-1/0001.log")).read_text()


@ONLY_DOCKER
def test_its_network_goes_with_the_last_container_and_no_earlier(serve: Serve, engine: str) -> None:
    name = f"las-{os.getuid()}"
    eventually(network_is_gone, "earlier ones are gone")
    first, second = serve("exec sleep 300"), serve("exec sleep 300")
    owner = ask("docker", "network", "inspect", "--format", '{{index .Labels "las.owner"}}', name)

    end(first)
    there = not network_is_gone()
    end(second)

    assert owner == str(os.getuid())
    assert there
    eventually(network_is_gone, "the network is gone")
    if os.geteuid() == 0:
        rules = ["iptables", "-t", "mangle", "-S"]
        eventually(lambda: name not in subprocess.check_output(rules, text=True), "its rules are gone")


@ONLY_DOCKER
def test_a_network_that_goes_away_while_a_container_starts_is_made_again(
    serve: Serve, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = []

    def start(self: DockerEngine, container: str, usual: Callable[..., None] = DockerEngine.start) -> None:
        if not removed:
            removed.append(ask("docker", "network", "rm", f"las-{os.getuid()}"))
        usual(self, container)

    monkeypatch.setattr(DockerEngine, "start", start)

    assert serve("exec sleep 300").container_id
    assert removed


@ONLY_DOCKER
def test_a_network_that_a_killed_supervisor_left_goes_with_the_next_end(serve: Serve, engine: str) -> None:
    ensure_network(docker.APIClient(DockerEngine().endpoint, version="auto"))

    end(serve("exec sleep 300"))

    eventually(network_is_gone, "the network is gone")


def network_is_gone() -> bool:
    return not ask("docker", "network", "ls", "--quiet", "--filter", f"name=^las-{os.getuid()}$")


def test_a_container_reaches_what_is_outside(serve: Serve, tmp_path: Path) -> None:
    """Ollama fetches models, and Open WebUI asks servers elsewhere."""
    with neighbour("ACCEPT") as outside, outside.serving() as (address, port):
        running = serve(f"nc -w 2 {address} {port} </dev/null")
        eventually(lambda: running.exit() is not None, "it has asked", within=30)

    assert "a word of the neighbour" in (tmp_path / f"door-{os.getpid()}-0" / "0001.log").read_text()
