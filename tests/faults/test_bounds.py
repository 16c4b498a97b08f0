"""What could grow or spin without end, tried on real supervisors."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_house import House, eventually, free_port

from las_jupyter.core.launch import HttpProbe, LiveRule, Port, ReadyRule
from las_jupyter.core.states import HealthState, ProcessState
from las_jupyter.limits.usage import proportional_memory

pytestmark = pytest.mark.native

FLAPPING = """
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(100); n = 0
while True:
    c, _ = s.accept(); asked = c.recv(4096); n += b"/live" in asked
    code = b"200 OK" if b"/ready" in asked or n % 2 else b"500 X"
    open(sys.argv[2], "w").write(str(n))
    c.sendall(b"HTTP/1.1 " + code + b"\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
"""


def test_29_a_server_that_flaps_all_the_time_is_asked_seldom_and_told_in_a_few_lines(
    house: House, tmp_path: Path
) -> None:
    """As an older version may have written it: without any pause between two questions."""
    port, asked = free_port(), tmp_path / "asked"
    spec = house.spec()._replace(
        argv=(sys.executable, "-I", "-S", "-c", FLAPPING, str(port), str(asked)),
        ports=(Port("http", port, port),),
        ready=ReadyRule(HttpProbe(path="/ready")),
        live=LiveRule(HttpProbe(path="/live"), every=0.00001, unhealthy_after=1, healthy_after=1),
    )
    house.manager.start(spec, {})
    ready_at = house.manager.wait_ready("one", timeout=20).ready_at
    assert ready_at is not None

    def times_asked() -> int:
        return int(asked.read_text() or 0) if asked.exists() else 0

    eventually(lambda: times_asked() >= 25, "it was asked 25 times")
    count, now = times_asked(), os.stat(asked).st_mtime  # noqa: PTH116
    told = [event for event in house.manager.events("one") if event.event == "health"]

    assert count <= (now - ready_at) / 0.1 + 2
    assert len(told) == 10
    seen = {house.manager.snapshot("one").health.state for _ in range(300)}
    assert HealthState.UNHEALTHY in seen or HealthState.HEALTHY in seen


def test_what_supervisors_complained_about_is_not_collected_for_ever(house: House) -> None:
    complaints = Path(house.paths.instance("one")) / "supervisor.err"
    complaints.parent.mkdir(parents=True, mode=0o700)
    for folder in (complaints.parent, complaints.parent.parent, complaints.parents[2]):
        folder.chmod(0o700)
    complaints.write_text("Traceback (most recent call last)\n" * 100_000)

    house.start()

    assert complaints.stat().st_size < 1000


def test_a_journal_of_megabytes_is_shortened_by_the_next_supervisor_which_finds_the_server_by_it(house: House) -> None:
    pid = house.start().pid
    house.kill_supervisor()
    events = Path(house.paths.events("one"))
    health = next(line for line in events.read_text().splitlines() if '"Launched"' in line)
    health = health.replace('"Launched"', '"health"')
    events.write_text(events.read_text() + f"{health}\n" * 60_000)
    assert events.stat().st_size > 8 * 2**20
    Path(house.paths.state("one")).write_text("damaged")

    assert house.manager.snapshot("one").pid == pid
    assert events.stat().st_size < 2**20
    assert house.manager.events("one")[0].event == "start requested"
    assert house.manager.events("one")[-1].event == "supervision restored"


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def connections(path: str, count: int) -> Iterator[list[socket.socket]]:
    """That many connections to a supervisor, which say nothing."""
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            made.append(socket.socket(socket.AF_UNIX))
            made[-1].setblocking(False)
            eventually(lambda: made[-1].connect_ex(path) == 0, "it lets another one in")
        yield made
    finally:
        for each in made:
            each.close()


@pytest.mark.parametrize("clients", [77, 600])
def test_with_all_descriptors_used_up_by_idle_clients_it_sleeps_asks_for_health_and_stops(
    house: House, tmp_path: Path, clients: int
) -> None:
    code = tmp_path / "code"
    code.write_text("200")
    house.start(f"status={code}", served=True)
    supervisor = house.manager.snapshot("one").supervisor_pid
    assert supervisor is not None
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (64, 64))
    with connections(house.paths.socket("one"), clients):
        eventually(lambda: len(os.listdir(f"/proc/{supervisor}/fd")) < 64, "some descriptors are free")  # noqa: PTH208
        begun, cpu = time.monotonic(), cpu_seconds(supervisor)
        for state, answer in ((HealthState.UNHEALTHY, "500"), (HealthState.HEALTHY, "200")) * 2:
            code.write_text(answer)
            eventually(lambda state=state: house.manager.snapshot("one").health.state is state, f"it is {state}")
        assert cpu_seconds(supervisor) - cpu < (time.monotonic() - begun) / 2  # whoever spins has all of it

        assert house.manager.snapshot("one").warnings == ()
        assert house.manager.stop("one").state is ProcessState.STOPPED


FLOOD = """
import socket, sys, threading
def flood(reads):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    if reads:
        threading.Thread(target=lambda: [None for _ in iter(lambda: s.recv(1 << 20), b"")], daemon=True).start()
    try:
        s.sendall(b'{"do":"snapshot"}\\n' * 150_000)
    except OSError:
        pass
floods = [threading.Thread(target=flood, args=(number % 2,)) for number in range(10)]
for each in floods: each.start()
print("flooding", flush=True)
for each in floods: each.join()
"""


def test_a_flood_of_requests_keeps_it_neither_from_health_nor_from_stopping_nor_makes_it_swell(
    house: House, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.write_text("200")
    house.start(f"status={code}", served=True)
    supervisor = house.manager.snapshot("one").supervisor_pid
    assert supervisor is not None
    before = proportional_memory(supervisor)
    flood = subprocess.Popen(
        [sys.executable, "-c", FLOOD, house.paths.socket("one")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "flooding\n"
        code.write_text("500")
        eventually(lambda: house.manager.snapshot("one").health.state is HealthState.UNHEALTHY, "it is unhealthy")
        grown = proportional_memory(supervisor) - before
        begun = time.monotonic()

        assert house.manager.stop("one").state is ProcessState.STOPPED

        assert time.monotonic() - begun < 10
        assert grown < 4 * 2**20
    finally:
        flood.kill()
        flood.communicate()
