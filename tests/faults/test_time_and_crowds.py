"""Sleep, numbers that come again, full tables, many at once. Numbers are rows of the fault catalogue."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_house import House, eventually, lives, pid_in

from las_jupyter.core.launch import LogRule
from las_jupyter.core.states import ProcessState
from las_jupyter.core.wire import to_json

pytestmark = pytest.mark.native
ROOT = str(Path(__file__).parents[2])


def test_07_what_main_left_is_asked_before_it_is_killed(house: House, tmp_path: Path) -> None:
    snapshot = house.start(f"daemon={tmp_path / 'daemon'}")
    worker = pid_in(tmp_path / "daemon")

    os.kill(snapshot.pid or 0, signal.SIGKILL)

    house.until(ProcessState.FAILED)
    assert not lives(worker)
    assert b"got a stop signal" in house.log()


def test_07_what_main_left_and_is_deaf_is_killed_after_a_short_grace(house: House, tmp_path: Path) -> None:
    snapshot = house.start(f"daemon={tmp_path / 'daemon'}", "deaf")
    worker = pid_in(tmp_path / "daemon")
    began = time.monotonic()

    os.kill(snapshot.pid or 0, signal.SIGKILL)

    house.until(ProcessState.FAILED)
    assert not lives(worker)
    assert 0.9 < time.monotonic() - began < 4


def test_22_sleep_of_everything_makes_nobody_unhealthy_and_restarts_nothing(house: House) -> None:
    snapshot = house.start(served=True)
    pids = [pid for pid in (snapshot.supervisor_pid, snapshot.pid) if pid]

    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)  # the sleep is the fault: six times the deadline of a probe
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    asked_at = time.time()

    eventually(lambda: time.time() - asked_at > 1, "some probes went by")
    after = house.manager.snapshot("one")
    assert (after.state, after.pid, after.generation) == (ProcessState.RUNNING, snapshot.pid, 1)
    assert not [each for each in house.manager.events("one") if each.event == "health" and "unhealthy" in each.reason]


REUSED = """
import os, signal, sys, time
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests"]
from pathlib import Path
from native_house import House, eventually, lives
house = House(Path(sys.argv[2]))
seen = house.start()
victim = {{"server": seen.pid, "supervisor": seen.supervisor_pid}}[sys.argv[3]]
os.kill(seen.supervisor_pid, signal.SIGKILL)
if sys.argv[3] == "server":
    os.kill(seen.pid, signal.SIGKILL)
while True:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    if not os.path.exists(f"/proc/{{victim}}"):
        break
Path("/proc/sys/kernel/ns_last_pid").write_text(str(victim - 1))
again = os.fork()
if again == 0:
    os.setsid()
    time.sleep(60)
    os._exit(0)
assert again == victim, (again, victim)
{then}
assert lives(again), "who got the number was ended"
os.kill(again, signal.SIGKILL)
os.waitpid(again, 0)
for name in house.processes():
    os.kill(name, signal.SIGKILL)
print("well")
"""


def in_own_numbers(house: House, which: str, then: str) -> None:
    """Run the script where process numbers are ours to give, or skip where that cannot be had."""
    room = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    probe = [*room, "sh", "-c", "echo 500 > /proc/sys/kernel/ns_last_pid"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("native: no pid namespace to be had here")
    command = [sys.executable, "-c", REUSED.format(then=then), ROOT, str(house.folder / which), which]
    (house.folder / which).mkdir()
    done = subprocess.run([*room, *command], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("well\n"), done.stderr


def test_18_who_got_the_number_of_the_server_is_never_signalled(house: House) -> None:
    in_own_numbers(house, "server", "assert house.manager.stop('one').state.value in ('failed', 'stopped')")


def test_19_who_got_the_number_of_the_supervisor_is_not_taken_for_it(house: House) -> None:
    then = "found = house.manager.snapshot('one')\nassert found.supervisor_pid != victim and found.supervised"
    in_own_numbers(house, "supervisor", then)


STARTER = """
import sys
sys.path.insert(0, sys.argv[1])
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.wire import from_json
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths
house, spec = Manager(StatePaths(sys.argv[3], sys.argv[4])), from_json(LaunchSpec, sys.argv[2])
print("here", flush=True)
for line in sys.stdin:
    started = house.start(spec, {})
    print(started.snapshot.generation, int(started.reused), flush=True)
"""


@pytest.mark.parametrize("kernels", [2, 5])
def test_30_kernels_that_start_one_name_at_once_get_one_server(house: House, kernels: int) -> None:
    spec = house.spec(served=True)
    command = [sys.executable, "-c", STARTER, ROOT, to_json(spec), house.paths.state_dir, house.paths.log_dir]
    crowd = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(kernels)
    ]
    try:
        assert [each.stdout.readline() for each in crowd if each.stdout] == ["here\n"] * kernels
        for round_ in range(1, 11):
            for each in crowd:
                assert each.stdin
                each.stdin.write("go\n")
                each.stdin.flush()
            answers = [each.stdout.readline().split() for each in crowd if each.stdout]
            assert {answer[0] for answer in answers} == {str(round_)}
            assert [answer[1] for answer in answers].count("0") == 1
            house.manager.stop("one", grace=0.2)
    finally:
        for each in crowd:
            each.kill()
            each.communicate()


def test_44_readers_lose_and_double_no_line_while_the_log_is_trimmed(house: House) -> None:
    bounds = LogRule(start_bytes=4 * 2**20)
    house.manager.start(house.spec("flood=30000000", logs=bounds), {})
    over, faults, reached = threading.Event(), list[str](), list[int]()

    def read() -> None:
        last, skipped, begun = -1, False, ""
        for chunk in house.manager.log("one").follow(0, over.is_set):
            skipped = skipped or chunk.trimmed > 0
            # A reader that has caught up with the writer sees the beginning of a line before its end.
            whole, end, rest = (("" if chunk.trimmed else begun) + chunk.text).rpartition("\n")
            begun = rest
            for found in re.finditer(r"^x{90} (\d{8})$", whole + end, re.MULTILINE):
                number = int(found[1])
                if number <= last or (number > last + 1 and not skipped):
                    faults.append(f"{number} after {last}")
                last, skipped = number, False
        reached.append(last)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    house.manager.wait_ready("one", timeout=30)
    over.set()
    for each in readers:
        each.join(30)

    assert faults == []
    assert reached == [299_999] * 2
    path = Path(house.manager.snapshot("one").log_path)
    eventually(lambda: path.stat().st_blocks * 512 < 12 * 2**20, "the log is within its bounds")
    assert house.manager.log("one").read(0).trimmed > 0


def test_45_last_words_are_in_the_log_before_the_end_is_told_a_hundred_times(house: House) -> None:
    script = "printf '%060000d\\nlast line\\n' 0; exit 3"
    spec = house.spec()._replace(argv=("sh", "-c", script), ready=house.spec().ready._replace(probe=None))
    for _ in range(100):
        house.manager.start(spec, {})
        house.until(ProcessState.FAILED)
        assert house.log().endswith(b"0\nlast line\n")


@pytest.fixture
def crowded() -> Iterator[Path]:
    """A cgroup that bounds the number of processes (v1 or v2)."""
    base = Path("/sys/fs/cgroup/pids" if Path("/sys/fs/cgroup/pids").is_dir() else "/sys/fs/cgroup")
    folder = base / f"las-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "pids.max").write_text("max")
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"native: no bound on processes to be had here ({error.strerror})")
    yield folder
    eventually(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
    folder.rmdir()


@pytest.mark.parametrize("room", [1, 2, 3])
def test_52_a_start_without_room_for_a_process_fails_cleanly_and_others_live(
    crowded: Path, house: House, room: int
) -> None:
    """Room for the kernel alone, for the first process of a supervisor, for the supervisor without its server."""
    other = house.start(name="other")
    code = (
        "import os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from las_jupyter.core.launch import LaunchSpec\n"
        "from las_jupyter.core.wire import from_json\n"
        "from las_jupyter.runtime.manager import Manager\n"
        "from las_jupyter.state.paths import StatePaths\n"
        "house, spec = Manager(StatePaths(sys.argv[3], sys.argv[4])), from_json(LaunchSpec, sys.argv[2])\n"
        "folder = Path(sys.argv[5]); (folder / 'cgroup.procs').write_text(str(os.getpid()))\n"
        "(folder / 'pids.max').write_text(sys.argv[6])\n"
        "try: house.start(spec, {}); print('started')\n"
        "except Exception as error: print(type(error).__name__, str(error), getattr(error, 'cause', None))\n"
        "print(house.snapshot('other').state.value)\n"
    )
    arguments = [ROOT, to_json(house.spec()), house.paths.state_dir, house.paths.log_dir, str(crowded), str(room)]
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    told, state = done.stdout.splitlines()
    assert told.startswith("LaunchFailed")
    assert "Resource temporarily unavailable" in told
    assert state == "running"
    assert lives(other.pid)
    assert house.manager.stop("other").state is ProcessState.STOPPED


def test_a_server_that_never_gets_ready_costs_its_supervisor_little(house: House) -> None:
    house.manager.start(house.spec("ready_after=600", served=True), {})
    supervisor = house.manager.snapshot("one").supervisor_pid

    def used() -> float:
        return int(Path(f"/proc/{supervisor}/schedstat").read_text().split()[0]) / 1e9

    started = time.monotonic()
    eventually(lambda: time.monotonic() - started > 4, "the first eager questions went by")
    began, before = time.monotonic(), used()
    eventually(lambda: time.monotonic() - began > 6, "some time went by")

    assert (used() - before) / (time.monotonic() - began) < 0.03  # asking all the time would take a tenth and more
