"""Logs on a disk that cannot be trimmed while it is written: carried by a pump, whoever is killed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import BASE, ready_engine
from mounts import mounted
from native_house import House, eventually, lives

from las_jupyter.core.launch import ContainerSpec, LaunchSpec, LogProbe, LogRule, ReadyRule, StopRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import LogCapture, Mode, ProcessState
from las_jupyter.limits.tree import read_process
from las_jupyter.logs import pieces
from las_jupyter.logs.reader import LogReader
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths

PUMPED = LogRule(capture=LogCapture.PUMP)
FLOOD = """
import os, sys
print("up", flush=True)
for writer in range(4):
    if os.fork() == 0:
        for number in range(int(sys.argv[1])):
            os.write(1, b"%d %08d %s\\n" % (writer, number, b"x" * 88))
        os._exit(0)
for _ in range(4):
    os.wait()
print("done", flush=True)
"""
COUNTING = "echo up; i=0; while :; do echo line $i; i=$((i+1)); sleep 0.01; done"
FAST = """
import os
os.write(1, b"up\\n")
number = 0
while True:
    os.write(1, b"line %d\\n" % number)
    number += 1
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a kind that has no holes."""
    with mounted(tmp_path / "disk", "ramfs") as folder:
        yield folder


def house_on(folder: Path, logs: Path) -> House:
    """A house whose logs lie elsewhere."""
    house = House(folder)
    house.paths = StatePaths(str(folder / "state"), str(logs))
    house.manager = Manager(house.paths)
    return house


def spec(*argv: str, logs: LogRule = PUMPED) -> LaunchSpec:
    return LaunchSpec(
        "one",
        "words",
        Mode.NATIVE,
        "native",
        argv,
        ready=ReadyRule(LogProbe("^up$")),
        stop=StopRule(grace=2.0),
        logs=logs,
    )


def start(house: House, *argv: str, logs: LogRule = PUMPED) -> Snapshot:
    house.manager.start(spec(*argv, logs=logs), {})
    return house.manager.wait_ready("one", timeout=20)


def pumps(house: House) -> list[int]:
    """Every pump of this house."""
    found = (read_process(pid) for pid in house.processes())
    return [process.pid for process in found if process is not None and process.name == "las-pump"]


def pump_of(house: House) -> int:
    """The process id of the pump, once there is one and no other."""
    return eventually(lambda: len(found := pumps(house)) == 1 and found[0], "there is a pump")


def numbers(house: House) -> list[int]:
    return [int(line.split()[1]) for line in house.log().decode().splitlines() if line.startswith("line ")]


def grown(house: House, by: int = 50) -> None:
    before = len(numbers(house))
    eventually(lambda: len(numbers(house)) >= before + by, "the log grows")


def complete(house: House) -> bool:
    found = numbers(house)
    return found == list(range(len(found)))


def test_a_flood_past_the_bound_keeps_whole_lines_in_order_and_the_disk_is_bounded(tmp_path: Path, disk: Path) -> None:
    bound = 2 * 2**20
    house = house_on(tmp_path, disk)
    try:
        spec_ = spec(sys.executable, "-c", FLOOD, "50000", logs=LogRule(start_bytes=bound))
        house.manager.start(spec_, {})
        path, most = house.manager.snapshot("one").log_path, 0
        while house.manager.snapshot("one").state.alive:
            most = max(most, pieces.used(path))
        log = house.log().decode().splitlines()
        assert log[-1] == "done"
        assert most <= bound
        assert pieces.size(path) > 4 * 50_000 * 100
        last = dict.fromkeys(range(4), -1)
        for line in log[:-1]:
            writer, number, rest = line.split()
            assert rest == "x" * 88
            assert last[int(writer)] in (-1, int(number) - 1), "no line between two kept ones is missing"
            last[int(writer)] = int(number)
        assert any("cannot trim" in event.reason for event in house.manager.events("one"))
        assert LogReader(path).tail(1) == ["done"]
    finally:
        house.close()


def test_while_the_supervisor_is_dead_the_log_goes_on_and_a_new_one_carries_it_further(house: House) -> None:
    begun = start(house, "sh", "-c", COUNTING)
    first = pump_of(house)

    house.kill_supervisor()
    size = pieces.size(begun.log_path)
    eventually(lambda: pieces.size(begun.log_path) > size + 500, "the log grows without a supervisor")
    assert lives(first)

    seen = house.manager.snapshot("one")
    assert seen.pid == begun.pid
    eventually(lambda: pump_of(house) != first, "the new supervisor has a pump of its own")
    assert not lives(first)
    grown(house)
    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert complete(house)


def test_a_killed_pump_is_replaced_and_not_a_byte_is_missing(house: House) -> None:
    start(house, sys.executable, "-c", FAST, logs=PUMPED._replace(start_bytes=2**30))
    for _ in range(5):
        old = pump_of(house)
        os.kill(old, signal.SIGKILL)
        eventually(lambda old=old: pump_of(house) != old, "there is another pump")
    house.manager.stop("one")
    assert complete(house)
    assert numbers(house)[-1] > 1000


def test_with_pump_and_supervisor_killed_the_module_waits_unharmed_until_somebody_comes(house: House) -> None:
    begun = start(house, sys.executable, "-c", FAST)
    os.kill(house.manager.snapshot("one").supervisor_pid or 0, signal.SIGSTOP)  # lest it makes another pump
    pump = pump_of(house)
    os.kill(pump, signal.SIGKILL)
    house.kill_supervisor()
    size = pieces.size(begun.log_path)

    def rests() -> bool:
        return Path(f"/proc/{begun.pid}/wchan").read_text() in ("pipe_write", "anon_pipe_write", "pipe_wait_writable")

    eventually(rests, "the pipe is full")
    assert lives(begun.pid)
    assert pieces.size(begun.log_path) == size

    seen = house.manager.snapshot("one")
    assert (seen.pid, seen.state) == (begun.pid, ProcessState.RUNNING)
    eventually(lambda: pieces.size(begun.log_path) > size + 2**20, "the log goes on")
    house.manager.stop("one")
    assert complete(house)


def test_its_last_words_are_in_the_log_when_its_end_is_told(house: House) -> None:
    house.manager.start(
        spec("sh", "-c", "echo up; sleep 0.2; head -c 900000 /dev/zero | tr '\\0' y; echo; echo why; exit 3"), {}
    )
    seen = house.until(ProcessState.FAILED)

    assert seen.exit
    assert seen.exit.code == 3
    assert house.log().endswith(b"y\nwhy\n")
    assert not Path(house.paths.pipe("one")).exists(), "nothing of the pump is left"


def test_a_worker_that_is_left_behind_is_ended_and_the_pump_with_it(house: House) -> None:
    start(house, "sh", "-c", "setsid sh -c 'while :; do echo left; sleep 0.01; done' & echo up; sleep 600")
    pump = pump_of(house)

    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert not lives(pump)


def test_a_full_disk_costs_lines_that_are_counted_and_never_the_module(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "tmpfs", "size=1m,mode=700") as folder:
        house = house_on(tmp_path, folder)
        try:
            waits = "while [ ! -e $HOUSE/{0} ]; do sleep 0.02; done;"
            flood = "head -c 3000000 /dev/zero | tr '\\0' z; touch $HOUSE/written;"
            script = f"echo up; {waits.format('go')} {flood} {waits.format('more')} echo after; sleep 600"
            made = spec("sh", "-c", script)._replace(env={"HOUSE": str(tmp_path)})
            house.manager.start(made, {})
            house.manager.wait_ready("one", timeout=20)
            filler = folder / "filler"
            filler.write_bytes(b"x" * 400_000)
            (tmp_path / "go").touch()
            path = house.manager.snapshot("one").log_path
            eventually(lambda: pieces.size(path) > 400_000, "the disk fills up")
            eventually((tmp_path / "written").exists, "the module waits for nobody")
            filler.unlink()
            (tmp_path / "more").touch()
            eventually(lambda: house.log().endswith(b"after\n"), "the log goes on")
            assert house.log().endswith(b" bytes were lost here: the disk had no room\nafter\n")
            assert house.manager.stop("one").state is ProcessState.STOPPED
        finally:
            house.close()


@pytest.mark.parametrize(
    "engine", [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
)
def test_a_containers_log_keeps_within_its_bound_there_too(tmp_path: Path, disk: Path, engine: str) -> None:
    ready_engine(engine)
    house = house_on(tmp_path, disk)
    try:
        script = "echo up; i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; sleep 600"
        house.manager.start(
            LaunchSpec(
                "one", "words", Mode.CONTAINER, engine, ("sh", "-c", script), ready=ReadyRule(LogProbe("^up$")),
                container=ContainerSpec(BASE, user="65534:65534", pull="never"), logs=LogRule(start_bytes=64 * 1024),
            ),
            {},
        )  # fmt: skip
        path = house.manager.snapshot("one").log_path
        eventually(lambda: house.log().endswith(b"line 19999\n"), "all was collected")
        house.kill_supervisor()
        house.manager.stop("one", grace=0.2)
        found = numbers(house)
        assert found == list(range(found[0], 20_000)), "none is missing or there twice"
        assert found[0] > 0
        assert pieces.used(path) <= 64 * 1024
    finally:
        house.close()


BEAT = """
import os, signal, sys, time
for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda *_: os._exit(77))
os.write(1, b"up\\n")
number = 0
while not os.path.exists(sys.argv[1]):
    os.write(1, b"line %d %s\\n" % (number, b"x" * int(sys.argv[2])))
    number += 1
    time.sleep(float(sys.argv[3]))
os.write(2, b"last words\\n")
os._exit(3)
"""


def beat(house: House, length: int = 10, pause: float = 0.0005, **rule: int) -> Snapshot:
    """A module that numbers its lines, and ends with code 3 once the file ``end`` is there, with 77 after a signal."""
    words = (sys.executable, "-c", BEAT, str(house.folder / "end"), str(length), str(pause))
    return start(house, *words, logs=PUMPED._replace(**rule))


def ended(house: House) -> Snapshot:
    """Let the beating module end, and see all it wrote."""
    (house.folder / "end").touch()
    found = house.until(ProcessState.FAILED)
    assert found.exit
    assert found.exit.code == 3
    assert complete(house)
    assert house.log().endswith(b"last words\n")
    assert not Path(house.paths.pipe("one")).exists()
    return found


def test_a_state_folder_made_again_and_a_killed_supervisor_leave_one_pump_and_every_line(house: House) -> None:
    snapshot = beat(house)
    shutil.rmtree(house.paths.instance("one"))
    eventually(lambda: Path(house.paths.state("one")).exists(), "it is made again")
    house.kill_supervisor()
    assert eventually(lambda: house.manager.snapshot("one").pid, "it is found again") == snapshot.pid

    pump_of(house)
    grown(house)
    ended(house)


def test_many_killed_supervisors_leave_one_pump_and_every_line(house: House) -> None:
    beat(house)
    for _ in range(4):
        house.kill_supervisor()
        assert house.manager.snapshot("one").supervised
        pump_of(house)

    ended(house)
    assert not pumps(house)


def test_a_module_that_ends_while_nobody_watches_leaves_no_pump_and_no_pipe(house: House) -> None:
    snapshot = beat(house)
    pump = pump_of(house)
    house.kill_supervisor()
    (house.folder / "end").touch()

    eventually(lambda: not lives(pump), "the pump ended with its module")

    assert pieces.read(snapshot.log_path, 0, 10**7).endswith(b"last words\n")
    assert not house.manager.snapshot("one").state.alive
    assert not Path(house.paths.pipe("one")).exists()


def test_a_pump_that_hangs_delays_no_stop_and_loses_no_line(house: House) -> None:
    beat(house)
    pump = pump_of(house)
    os.kill(pump, signal.SIGSTOP)

    assert house.manager.stop("one").state is ProcessState.STOPPED

    assert not pumps(house)
    assert complete(house)


def test_a_pump_that_hangs_at_the_end_delays_its_telling_only_a_little(house: House) -> None:
    beat(house)
    os.kill(pump_of(house), signal.SIGSTOP)
    ended(house)
    assert not pumps(house)


def test_somebody_who_holds_the_pipe_open_cannot_keep_the_pump(house: House) -> None:
    beat(house)
    holder = os.open(house.paths.pipe("one"), os.O_RDWR)
    try:
        assert house.manager.stop("one").state is ProcessState.STOPPED
        assert not pumps(house)
    finally:
        os.close(holder)


def test_what_is_read_during_a_flood_is_whole_lines(house: House) -> None:
    house.manager.start(spec(sys.executable, "-c", FLOOD, "100000", logs=PUMPED._replace(start_bytes=64 * 1024)), {})
    log, torn = house.manager.log("one"), []
    while log.size < 20_000_000:
        for look in (lambda: log.tail(10**5), lambda: log.grep("x", 10**5), lambda: list(log.lines())):
            *found, _ = look() or [""]  # the last one may be under way
            torn += [line for line in found if len(line) != 99 and line not in ("up", "done")]
    assert log.head > 1_000_000
    assert torn == []


def test_the_log_of_every_start_is_its_own(house: House) -> None:
    start(house, "sh", "-c", COUNTING)
    first = house.manager.snapshot("one").log_path
    house.manager.restart("one")
    house.manager.wait_ready("one", timeout=20)
    second = house.manager.snapshot("one").log_path

    assert first != second
    grown(house)
    house.manager.stop("one")
    assert complete(house)
    assert LogReader(first).grep("^up$") == ["up"]
