"""Races between clients, ports in strange hands, and probes that lie. Numbers are rows of the fault catalogue."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from native_house import FAKE_SERVER, House, eventually, free_port

from las_jupyter.core.errors import InstanceConflict, LasError, LaunchFailed, PortTaken, StartTimeout
from las_jupyter.core.launch import Failure, HttpProbe, LogProbe, Phase, Port, Progress, ReadyRule
from las_jupyter.core.snapshot import Health
from las_jupyter.core.states import HealthState, ProcessState
from las_jupyter.runtime.manager import Manager, Started

pytestmark = pytest.mark.native


def stranger(port: int, *habits: str) -> subprocess.Popen[bytes]:
    """A server that is not ours, listening on ``port``."""
    import socket

    process = subprocess.Popen([sys.executable, "-I", "-S", FAKE_SERVER, f"port={port}", *habits])

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(answers, "the stranger listens")
    return process


def test_23_a_port_in_strange_hands_refuses_the_start_and_names_them(house: House) -> None:
    spec = house.spec(served=True)
    other = stranger(spec.ports[0].host)
    try:
        with pytest.raises(PortTaken) as caught:
            house.manager.start(spec, {})
    finally:
        other.kill()
        other.wait()

    assert f"process {other.pid}" in str(caught.value.cause)
    assert house.manager.names() == []


def test_24_a_server_that_loses_the_race_for_its_port_fails_with_its_last_words(house: House) -> None:
    port = free_port()
    spec = house.spec(f"port={port}")._replace(ready=ReadyRule(LogProbe("^never$")))
    other = stranger(port)
    try:
        house.manager.start(spec, {})
        with pytest.raises(LaunchFailed) as caught:
            house.manager.wait_ready("one")
    finally:
        other.kill()
        other.wait()

    assert any("Address already in use" in line for line in caught.value.details)


def test_25_a_foreign_server_on_our_port_is_never_taken_for_ready(house: House) -> None:
    port = free_port()
    probe = HttpProbe(path="/health")
    spec = house.spec()._replace(ports=(), ready=ReadyRule(probe))
    spec = spec._replace(ports=(Port("http", port, port),))
    house.manager.start(spec, {})
    other = stranger(port)
    try:
        told = eventually(
            lambda: (found := house.manager.snapshot("one")).health.reason.count(str(other.pid)) and found,
            "the stranger is named",
        )
    finally:
        other.kill()
        other.wait()

    assert told.state is ProcessState.STARTING
    assert "not of this instance" in told.health.reason


def test_26_a_server_that_accepts_and_never_answers_becomes_unhealthy(house: House, tmp_path: Path) -> None:
    house.start(f"hang={tmp_path / 'hang'}", served=True)
    (tmp_path / "hang").touch()

    eventually(lambda: house.manager.snapshot("one").health.state == "unhealthy", "it is unhealthy", within=10)
    began = time.monotonic()
    snapshot = house.manager.snapshot("one")
    assert time.monotonic() - began < 0.5
    assert snapshot.state is ProcessState.RUNNING

    (tmp_path / "hang").unlink()
    eventually(lambda: house.manager.snapshot("one").health.state == "healthy", "it is healthy again")


@pytest.mark.parametrize("habit", ["endless", "status"])
def test_27_an_endless_body_or_a_redirect_cannot_hold_the_probe(house: House, tmp_path: Path, habit: str) -> None:
    code = tmp_path / "code"
    code.write_text("302")
    spec = house.spec(habit if habit == "endless" else f"status={code}", served=True)
    house.manager.start(spec, {})

    if habit == "endless":
        assert house.manager.wait_ready("one", timeout=10).state is ProcessState.RUNNING
    else:
        told = eventually(
            lambda: "302" in (found := house.manager.snapshot("one")).health.reason and found, "the redirect is told"
        )
        assert told.state is ProcessState.STARTING


def test_26_a_server_that_answers_while_its_work_stands_still_becomes_unhealthy(house: House, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("tokens_total 5\nrunning 0\n")
    spec = house.spec(f"metrics={page}", served=True)
    progress = Progress("http", "/metrics", "tokens_total", "running", stuck_after=0.3)
    spec = spec._replace(live=spec.live._replace(progress=progress))
    house.manager.start(spec, {})
    house.manager.wait_ready("one", timeout=20)

    page.write_text("tokens_total 5\nrunning 2\n")
    ill = eventually(lambda: _health(house, HealthState.UNHEALTHY), "it is found stuck")
    page.write_text("tokens_total 6\nrunning 2\n")
    eventually(lambda: _health(house, HealthState.HEALTHY), "its work moves again")

    assert "2 requests are under way and none moved" in ill.reason


def _health(house: House, wanted: HealthState) -> Health | None:
    health = house.manager.snapshot("one").health
    return health if health.state is wanted else None


def test_28_loading_is_unknown_and_not_unhealthy_until_it_is_ready(house: House) -> None:
    house.manager.start(house.spec("ready_after=1.0", served=True), {})
    seen = []

    ready = house.manager.wait_ready("one", timeout=20, on_change=seen.append)

    assert {each.health.state for each in seen[:-1]} <= {HealthState.UNKNOWN}
    assert any(each.health.phase == "loading" for each in seen)
    assert ready.health.state is HealthState.HEALTHY


def test_29_a_flapping_server_stays_healthy_below_the_threshold(house: House, tmp_path: Path) -> None:
    code = tmp_path / "code"
    house.start(f"status={code}", served=True)
    for _ in range(4):
        code.write_text("500")
        time.sleep(0.12)
        code.write_text("200")
        time.sleep(0.25)

    told = [event for event in house.manager.events("one") if event.event == "health"]

    assert len(told) <= 2
    assert house.manager.snapshot("one").state is ProcessState.RUNNING


@pytest.mark.parametrize("clients", [2, 5])
def test_30_clients_that_start_one_name_at_once_get_one_server(house: House, clients: int) -> None:
    for _ in range(5):
        spec = house.spec(served=True)
        before = house.manager.snapshot("one").generation if house.manager.names() else 0
        gate, answers = threading.Barrier(clients), list[Started]()

        def start(spec: object = spec, gate: threading.Barrier = gate, answers: list[Started] = answers) -> None:
            manager = Manager(house.paths)
            gate.wait()
            answers.append(manager.start(spec, {}))  # type: ignore[arg-type]

        threads = [threading.Thread(target=start) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(answers) == clients
        assert {answer.snapshot.generation for answer in answers} == {before + 1}
        assert [answer.reused for answer in answers].count(False) == 1
        house.manager.wait_ready("one", timeout=10)
        house.manager.stop("one")


def test_30_another_spec_under_a_running_name_is_a_conflict_that_names_the_difference(house: House) -> None:
    house.start()

    with pytest.raises(InstanceConflict) as caught:
        house.manager.start(house.spec("says=other"), {})

    assert "argv" in str(caught.value.cause)


def test_31_starts_stops_and_restarts_from_three_clients_end_in_one_clear_state(house: House) -> None:
    spec = house.spec()
    house.manager.start(spec, {})
    chance = random.Random(7)

    def work(seed: int) -> None:
        mine, manager = random.Random(seed), Manager(house.paths)
        for _ in range(6):
            try:
                match mine.choice(("start", "stop", "restart")):
                    case "start":
                        manager.start(spec, {})
                    case "stop":
                        manager.stop("one", grace=1)
                    case _:
                        manager.restart("one")
            except LasError:
                continue

    threads = [threading.Thread(target=work, args=(chance.random(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    house.manager.start(spec, {})
    house.manager.wait_ready("one", timeout=20)
    assert len([line for line in house.processes().values() if FAKE_SERVER in line]) == 1


def test_a_start_that_makes_no_progress_is_given_up_with_its_last_words(house: House) -> None:
    spec = house.spec("says=loading layer 7", "quiet", ready=ReadyRule(LogProbe("^never$"), stall=1.0))
    house.manager.start(spec._replace(phases=(Phase("layer", "loading the model"),)), {})

    with pytest.raises(LaunchFailed) as caught:
        house.manager.wait_ready("one", timeout=30)

    cause = str(caught.value.cause)
    assert "no progress" in cause
    assert "loading layer 7" in cause
    assert "loading the model" in cause


def test_a_start_that_works_is_not_given_up_though_it_takes_longer(house: House) -> None:
    house.manager.start(house.spec("busy", "quiet", ready=ReadyRule(LogProbe("^never$"), stall=0.8)), {})

    with pytest.raises(StartTimeout):
        house.manager.wait_ready("one", timeout=2.5)

    assert house.manager.snapshot("one").state is ProcessState.STARTING


def test_a_known_failure_is_explained_with_its_remedy(house: House) -> None:
    failure = Failure("out of memory on device (\\d)", "GPU {1} is full", "%las start one --gpus 1")
    spec = house.spec("says=out of memory on device 0", "ends=0:1", failures=(failure,))
    house.manager.start(spec._replace(ready=ReadyRule(LogProbe("^never$"))), {})

    with pytest.raises(LaunchFailed) as caught:
        house.manager.wait_ready("one")

    assert (caught.value.cause, caught.value.remedy) == ("GPU 0 is full", "%las start one --gpus 1")


def test_changes_are_pushed_to_whoever_watches(house: House) -> None:
    seen, done = [], threading.Event()

    def watch() -> None:
        changes = Manager(house.paths).watch(stop=done.is_set)
        seen.extend((snapshot.name, snapshot.state) for snapshot in changes)

    thread = threading.Thread(target=watch)
    thread.start()
    house.start("says=x", name="early")
    eventually(lambda: ("early", ProcessState.RUNNING) in seen, "the watcher saw it run")
    house.kill_supervisor("early")
    house.manager.stop("early")
    eventually(lambda: ("early", ProcessState.STOPPED) in seen, "the watcher saw it stop")
    done.set()
    thread.join()
