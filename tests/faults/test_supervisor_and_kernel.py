"""What happens to a server when a kernel or its supervisor dies or hangs. Numbers are rows of the fault catalogue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from native_house import House, eventually, lives, pid_in

from las_jupyter.core.errors import SupervisorUnreachable
from las_jupyter.core.launch import Owner, RestartRule, StopRule
from las_jupyter.core.states import Lifetime, ProcessState, RestartPolicy
from las_jupyter.limits.tree import boot_id, read_process
from las_jupyter.state.files import write_value
from las_jupyter.state.lock import Lock

pytestmark = pytest.mark.native

KERNEL = """
import sys, os, time, json
sys.path.insert(0, {root!r})
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.wire import from_json
from las_jupyter.runtime import manager, spawn
from las_jupyter.state.paths import StatePaths
spec = from_json(LaunchSpec, sys.argv[1])
house = manager.Manager(StatePaths(sys.argv[2], sys.argv[3]))
{before}
print(json.dumps(house.start(spec, {{}}).snapshot.pid), flush=True)
{after}
"""
ROOT = str(Path(__file__).parents[2])


def kernel(house: House, spec: object, *, before: str = "", after: str = "time.sleep(600)") -> subprocess.Popen[bytes]:
    """A process that stands for a notebook kernel: session leader, starts ``spec``, then idles."""
    from las_jupyter.core.wire import to_json

    code = KERNEL.format(root=ROOT, before=before, after=after)
    command = [sys.executable, "-c", code, to_json(spec), house.paths.state_dir, house.paths.log_dir]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


def started_by(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout
    return int(json.loads(process.stdout.readline()))


def test_01_a_killed_kernel_leaves_server_and_supervisor_untouched(house: House) -> None:
    process = kernel(house, house.spec(served=True))
    pid = started_by(process)

    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    snapshot = house.manager.wait_ready("one", timeout=10)
    assert (snapshot.pid, lives(pid)) == (pid, True)
    assert not [event for event in house.manager.events("one") if event.event == "supervision restored"]


def test_02_an_orderly_kernel_end_finds_nothing_of_ours_among_its_children(house: House) -> None:
    process = kernel(house, house.spec(served=True))
    pid = started_by(process)

    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    supervisor = house.manager.snapshot("one").supervisor_pid
    assert supervisor
    found, main = read_process(supervisor), read_process(pid)
    process.terminate()
    process.wait()
    assert children == []
    assert found and main
    assert process.pid not in (found.session, main.session, found.parent)
    assert lives(pid)


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 100, 400])
def test_03_an_interrupt_during_start_never_reaches_the_server(house: House, milliseconds: int) -> None:
    spec = house.spec(served=True)
    process = kernel(house, spec, before="print('go', flush=True)")
    assert process.stdout
    process.stdout.readline()

    time.sleep(milliseconds / 1000)
    os.killpg(process.pid, signal.SIGINT)
    process.wait()

    again = house.manager.start(spec, {})
    assert house.manager.wait_ready("one", timeout=10).pid == again.snapshot.pid
    assert b"signal" not in house.log()
    assert again.snapshot.generation == 1


@pytest.mark.parametrize("step", ["write_atomic", "write_value", "spawn", "after Popen"])
def test_04_a_kernel_killed_in_the_middle_of_a_start_leaves_all_or_nothing(house: House, step: str) -> None:
    spec = house.spec(served=True)
    die = "os.kill(os.getpid(), 9)"
    before = f"manager.{step} = lambda *a, **k: {die}"
    if step == "after Popen":
        before = (
            "import subprocess; real = subprocess.Popen\n"
            f"def popen(*a, **k):\n    child = real(*a, **k); {die}\n"
            "spawn.subprocess.Popen = popen"
        )
    process = kernel(house, spec, before=before)
    assert process.wait() == -signal.SIGKILL

    started = house.manager.start(spec, {})

    assert house.manager.wait_ready("one", timeout=10).pid == started.snapshot.pid
    assert house.manager.snapshot("one").generation == 1


def test_05_a_killed_supervisor_harms_nothing_and_is_replaced(house: House, tmp_path: Path) -> None:
    before = house.start("says=first", f"beat={tmp_path / 'beat'}", served=True)
    old = house.kill_supervisor()
    size = (tmp_path / "beat").stat().st_size

    after = house.manager.snapshot("one")

    assert (after.state, after.pid) == (ProcessState.RUNNING, before.pid)
    assert after.supervisor_pid not in (None, old)
    assert after.supervised
    assert "supervision was restored" in after.reason
    assert [event.event for event in house.manager.events("one")].count("supervision restored") == 1
    eventually(lambda: (tmp_path / "beat").stat().st_size > size, "the server works on")
    assert house.log() == b"first\n"
    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert not lives(before.pid)


def test_05_the_exit_status_is_known_though_another_supervisor_was_the_parent(house: House, tmp_path: Path) -> None:
    house.start(f"after_file={tmp_path / 'end'}:23")
    house.kill_supervisor()
    house.manager.snapshot("one")

    (tmp_path / "end").touch()

    ended = house.until(ProcessState.FAILED)
    assert ended.exit
    assert (ended.exit.code, ended.exit.signal) == (23, None)


def test_05_an_exit_nobody_saw_is_unknown_and_never_zero(house: House, tmp_path: Path) -> None:
    pid = house.start(f"after_file={tmp_path / 'end'}:0").pid
    house.kill_supervisor()
    (tmp_path / "end").touch()
    eventually(lambda: not lives(pid), "the server ended unseen")

    ended = house.manager.snapshot("one")

    assert ended.state is ProcessState.FAILED
    assert ended.exit
    assert (ended.exit.code, ended.exit.signal) == (None, None)
    assert "unknown" in ended.exit.text


def test_05_a_stop_after_a_lost_supervisor_ends_the_whole_tree(house: House, tmp_path: Path) -> None:
    house.start(f"daemon={tmp_path / 'daemon'}", f"child={tmp_path / 'child'}")
    pids = [pid_in(tmp_path / "daemon"), pid_in(tmp_path / "child")]
    house.kill_supervisor()

    house.manager.stop("one")

    assert not [pid for pid in pids if lives(pid)]


def test_05_a_stop_under_way_goes_on_under_the_next_supervisor(house: House) -> None:
    pid = house.start("stop_takes=1.5").pid
    supervisor = house.manager.snapshot("one").supervisor_pid
    assert supervisor
    from las_jupyter.runtime.client import ask

    ask(house.paths.socket("one"), "stop")
    eventually(lambda: b"got a stop signal" in house.log(), "the signal arrived")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not lives(supervisor), "the supervisor is dead")

    ended = house.until(ProcessState.STOPPED)

    assert not lives(pid)
    assert house.log().count(b"got a stop signal") == 1
    assert ended.exit
    assert ended.exit.code != 99


def test_05_a_wait_for_a_restart_goes_on_under_the_next_supervisor(house: House) -> None:
    rule = RestartRule(RestartPolicy.ON_FAILURE, first=1.0, factor=1.0, max_tries=2)
    house.manager.start(house.spec("ends=0.1:1", restart=rule), {})
    house.until(ProcessState.BACKOFF)
    house.kill_supervisor()

    assert house.manager.snapshot("one").state is ProcessState.BACKOFF
    ended = house.until(ProcessState.FAILED)
    assert ended.generation == 3


def test_06_supervisor_and_server_killed_together_leave_no_worker(house: House, tmp_path: Path) -> None:
    before = house.start(f"daemon={tmp_path / 'daemon'}")
    worker = pid_in(tmp_path / "daemon")
    assert before.supervisor_pid and before.pid
    os.kill(before.supervisor_pid, signal.SIGKILL)
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: not lives(before.pid), "the server is dead")

    house.manager.snapshot("one")
    ended = house.until(ProcessState.FAILED)

    assert not lives(worker)
    assert ended.exit
    assert ended.exit.code is None


def test_08_a_stopped_supervisor_is_said_so_within_seconds(house: House) -> None:
    snapshot = house.start(served=True)
    assert snapshot.supervisor_pid
    os.kill(snapshot.supervisor_pid, signal.SIGSTOP)
    began = time.monotonic()

    with pytest.raises(SupervisorUnreachable) as caught:
        house.manager.stop("one")

    assert time.monotonic() - began < 3.5
    assert "is stopped" in str(caught.value.cause)
    assert lives(snapshot.pid)
    os.kill(snapshot.supervisor_pid, signal.SIGCONT)
    assert house.until(ProcessState.STOPPED).exit


@pytest.mark.parametrize("order", ["stop", "restart"])
def test_04_an_order_to_a_supervisor_that_dies_of_it_is_carried_out_by_the_next(house: House, order: str) -> None:
    snapshot = house.start()
    supervisor = snapshot.supervisor_pid or 0
    os.kill(supervisor, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        ordered = thread.submit(getattr(house.manager, order), "one")
        eventually(lambda: _asked(house.paths.socket("one")), "somebody asks")
        os.kill(supervisor, signal.SIGKILL)
        seen = ordered.result(timeout=20)

    assert seen.state.alive == (order == "restart")
    assert seen.generation == (2 if order == "restart" else 1)
    assert not lives(snapshot.pid)


def _asked(path: str) -> bool:
    """Whether a client waits for an answer at the socket."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return len([line for line in lines if line[-1] == path]) > 1


def test_19_a_reused_supervisor_number_does_not_look_alive(house: House) -> None:
    house.start()
    house.kill_supervisor()
    path = house.paths.state("one")
    data = json.loads(Path(path).read_bytes())
    data["supervisor_pid"], data["supervisor_ticks"] = house.canary, 1
    Path(path).write_text(json.dumps(data))

    assert "supervision was restored" in house.manager.snapshot("one").reason


def test_18_a_reused_server_number_is_never_signalled(house: House) -> None:
    """The canary of the house checks at the end that it was not touched."""
    snapshot = house.start()
    house.kill_supervisor()
    os.kill(snapshot.pid or 0, signal.SIGKILL)
    eventually(lambda: not lives(snapshot.pid), "the server is gone")
    path, events = Path(house.paths.state("one")), Path(house.paths.events("one"))
    path.write_text(path.read_text().replace(f'"pid":{snapshot.pid},', f'"pid":{house.canary},'))
    events.write_text(events.read_text().replace(f'"id":"{snapshot.pid}"', f'"id":"{house.canary}"'))

    ended = house.manager.stop("one")

    assert ended.state is ProcessState.FAILED
    assert lives(house.canary)


def test_20_after_a_reboot_everything_recorded_is_gone_and_nothing_is_signalled(house: House) -> None:
    snapshot = house.start()
    house.kill_supervisor()
    for file in (Path(house.paths.state("one")), Path(house.paths.events("one"))):
        file.write_text(file.read_text().replace(boot_id(), "00000000-0000-0000-0000-000000000000"))

    ended = house.manager.snapshot("one")

    assert ended.state is ProcessState.FAILED
    assert ended.exit
    assert ended.exit.code is None
    assert lives(snapshot.pid)
    os.kill(snapshot.pid or 0, signal.SIGKILL)


def test_32_a_start_lock_held_by_a_killed_process_is_free_again(house: House) -> None:
    spec = house.spec()
    before = "manager.spawn = lambda *a: (print('held', flush=True), time.sleep(600))"
    process = kernel(house, spec, before=before)
    assert process.stdout
    process.stdout.readline()

    process.kill()
    process.wait()
    began = time.monotonic()
    house.manager.start(spec, {})

    assert time.monotonic() - began < 1.5


def test_54_an_older_supervisor_is_kept_and_named(house: House) -> None:
    snapshot = house.start()
    write_value(house.paths.state("one"), snapshot._replace(supervisor_version="0.0.1"))

    seen = house.manager.snapshot("one")

    assert any("0.0.1" in warning and "%las restart" in warning for warning in seen.warnings)
    assert seen.supervisor_pid == snapshot.supervisor_pid


def test_54_a_state_written_by_a_newer_version_is_read(house: House) -> None:
    house.start()
    path = Path(house.paths.state("one"))
    data = json.loads(path.read_text()) | {"invented_later": {"x": 1}}
    path.write_text(json.dumps(data))

    assert house.manager.snapshot("one").state is ProcessState.RUNNING


def test_a_kernel_lifetime_ends_with_its_kernel_however_that_ends(house: House) -> None:
    owner = subprocess.Popen(["sleep", "600"])
    process = read_process(owner.pid)
    assert process
    mine = Owner(owner.pid, process.ticks, boot_id(), "a kernel")
    pid = house.start(lifetime=Lifetime.KERNEL, owner=mine).pid

    owner.kill()
    owner.wait()

    ended = house.until(ProcessState.STOPPED)
    assert not lives(pid)
    assert "kernel" in next(each.reason for each in house.manager.events("one") if each.event == "StopRequested")
    assert ended.exit
    assert ended.exit.requested


def test_a_kernel_that_was_gone_before_the_start_ends_its_instance_at_once(house: House) -> None:
    gone = Owner(house.canary, 1, boot_id(), "a kernel that had the canary's number before")

    house.manager.start(house.spec(lifetime=Lifetime.KERNEL, owner=gone, stop=StopRule(grace=2.0)), {})

    house.until(ProcessState.STOPPED)


def test_33_a_deleted_lock_file_never_lets_a_second_server_in(house: House) -> None:
    first = house.start(served=True)
    Path(house.paths.lock("one")).unlink()

    again = house.manager.start(house.manager.spec("one"), {})

    assert again.reused
    assert again.snapshot.pid == first.pid
    eventually(lambda: not Lock(house.paths.lock("one")).acquire(), "its supervisor holds the lock again")
