"""The limits of a native server are the kernel's where it keeps them, and an end says whether memory was the reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_house import House, eventually, house, lives, pid_in
from required import missing

from las_jupyter.backends.native_limits import foreseen, start_in
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Limits, LogProbe, ReadyRule
from las_jupyter.core.states import ProcessState
from las_jupyter.limits.cgroup import Place, places
from las_jupyter.limits.leaf import Leaf, make, noted

__all__ = ["house"]

pytestmark = [pytest.mark.native, pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux")]
MIB = 2**20
NAME = f"limited{os.getpid()}"
"""Groups are the machine's: another run of these tests has others."""

KEEPERS = ("cgroup v1", "cgroup v2", "systemd scope")
BOMB = """
import os, time
print("up", flush=True)
made = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
    except OSError:
        open(os.environ["HOUSE"] + "/refused", "w").write(str(made))
        time.sleep(600)
"""
WORKER = """
import os, time
print("up", flush=True)
worker = os.fork()
if worker == 0:
    ballast = b"x" * (300 << 20)
    time.sleep(600)
os.waitpid(worker, 0)
raise SystemExit(7)
"""

SURVIVOR = WORKER.replace("raise SystemExit(7)", "time.sleep(600)")


@pytest.fixture(autouse=True)
def no_group_left(house: House) -> Iterator[None]:
    """Whatever a test does, when all has ended no group is left."""
    before = groups()
    yield
    for snapshot in house.manager.snapshots():
        if snapshot.state.alive:
            house.manager.stop(snapshot.name, grace=0.5)
    eventually(lambda: groups() <= before, f"no group is left: {groups() - before}", within=5)


def groups() -> set[Path]:
    """Every group of ours that is there, a systemd's among them."""
    return set(Path("/sys/fs/cgroup").rglob(f"las-{NAME}-*"))


def need(limit: str) -> None:
    """Skip where the kernel keeps no such limit for us."""
    if foreseen()[limit] not in KEEPERS:
        missing("control groups", f"no group with a {limit} limit can be made by this user on this machine")


def leaf_of(house: House) -> Leaf:
    return noted(house.paths.instance(NAME))


def start_program(house: House, text: str, **changes: object) -> None:
    """Start a Python program in the place of a server."""
    spec = house.spec(name=NAME, **changes)
    argv = (sys.executable, "-I", "-S", "-c", text)
    house.manager.start(spec._replace(argv=argv, ready=ReadyRule(LogProbe("^up$"))), {})


def test_a_server_that_takes_more_memory_than_its_limit_is_killed_for_it_and_the_end_says_so(house: House) -> None:
    need("memory")

    house.manager.start(house.spec("memory=200", name=NAME, limits=Limits(memory=64 * MIB)), {})

    ended = house.until(ProcessState.FAILED, NAME)
    assert ended.exit
    assert (ended.exit.signal, ended.exit.oom, ended.exit.requested) == ("SIGKILL", True, False)
    assert ended.exit.text == "killed because it ran out of memory at its limit of 64.0 MiB, ended by SIGKILL"
    assert ended.enforcement["memory"] in KEEPERS


def test_a_server_that_gives_up_because_its_worker_was_killed_for_memory_ran_out_of_memory(house: House) -> None:
    need("memory")

    start_program(house, WORKER, limits=Limits(memory=64 * MIB))

    ended = house.until(ProcessState.FAILED, NAME)
    assert ended.exit
    assert ended.exit.oom
    assert ended.exit.text.startswith("killed because it ran out of memory at its limit of 64.0 MiB")


def test_a_server_within_its_limit_that_is_killed_from_outside_is_not_said_to_lack_memory(house: House) -> None:
    need("memory")
    started = house.start(name=NAME, limits=Limits(memory=256 * MIB))
    assert started.pid

    os.kill(started.pid, signal.SIGKILL)

    ended = house.until(ProcessState.FAILED, NAME)
    assert ended.exit
    assert (ended.exit.signal, ended.exit.oom) == ("SIGKILL", False)
    assert ended.exit.text == "it ended by SIGKILL: killed from outside, and not at its memory limit"


def test_a_deaf_server_that_we_kill_was_stopped_and_did_not_lack_memory(house: House) -> None:
    house.start("deaf", name=NAME, limits=Limits(memory=256 * MIB))

    stopped = house.manager.stop(NAME, grace=0.1)

    assert stopped.exit
    assert (stopped.exit.signal, stopped.exit.oom, stopped.exit.requested) == ("SIGKILL", False, True)
    assert "stopped as requested" in stopped.exit.text


def test_a_fork_bomb_gets_no_further_than_its_process_limit(house: House) -> None:
    need("pids")

    start_program(house, BOMB, limits=Limits(pids=40, memory=1024 * MIB))  # no scope is made for processes alone

    refused = house.folder / "refused"
    assert eventually(lambda: refused.exists() and refused.read_text(), "a fork was refused") == "39"
    assert house.manager.snapshot(NAME).enforcement["pids"] in KEEPERS
    house.manager.stop(NAME, grace=0.1)


def test_a_processor_limit_is_kept_by_the_kernel(house: House) -> None:
    need("cpus")

    house.start("busy", name=NAME, limits=Limits(cpus=0.5))

    part = next(part for part in leaf_of(house).parts if "cpus" in part.limits)

    def throttled() -> bool:
        rows = dict(line.split() for line in Path(part.folder, "cpu.stat").read_text().splitlines())
        return int(rows["nr_throttled"]) >= 3

    eventually(throttled, "the kernel throttled it")
    quota = "cpu.max" if part.version == 2 else "cpu.cfs_quota_us"
    assert Path(part.folder, quota).read_text().split()[0] == "50000"


def test_what_hides_from_descent_and_session_is_found_by_its_group_and_ended(house: House) -> None:
    house.start(f"daemon={house.folder / 'pid'}", "title", name=NAME, limits=Limits(pids=100))
    hidden = pid_in(house.folder / "pid")
    leaf = leaf_of(house)
    if not leaf.parts:
        missing("control groups", "no group can be made by this user on this machine")
    assert hidden in leaf.members()

    house.manager.stop(NAME)

    assert not lives(hidden)
    assert leaf.parts
    eventually(lambda: not any(Path(part.folder).exists() for part in leaf.parts), "the group is gone")


def test_the_limits_and_the_group_outlive_the_supervisor_and_go_with_the_server(house: House) -> None:
    need("memory")
    house.start(f"daemon={house.folder / 'pid'}", "title", name=NAME, limits=Limits(memory=256 * MIB, pids=50))
    hidden, before, leaf = pid_in(house.folder / "pid"), house.manager.snapshot(NAME), leaf_of(house)

    house.kill_supervisor(NAME)

    adopted = eventually(lambda: taken_over(house, before.supervisor_pid), "another supervisor took over")
    assert adopted.enforcement == before.enforcement
    house.manager.stop(NAME)
    assert not lives(hidden)
    eventually(lambda: not any(Path(part.folder).exists() for part in leaf.parts), "the group is gone")


def taken_over(house: House, old: int | None) -> object:
    found = house.manager.snapshot(NAME)
    return found if found.supervised and found.supervisor_pid not in (None, old) else None


def test_a_group_of_a_server_that_died_unwatched_is_removed_by_the_next_look(house: House) -> None:
    started = house.start(name=NAME, limits=Limits(pids=50))
    leaf = leaf_of(house)
    house.kill_supervisor(NAME)
    assert started.pid
    os.kill(started.pid, signal.SIGKILL)

    house.until(ProcessState.FAILED, NAME)

    eventually(lambda: not any(Path(part.folder).exists() for part in leaf.parts), "the group is gone")


def test_a_program_that_cannot_be_run_leaves_no_group(house: House) -> None:
    spec = house.spec(name=NAME, limits=Limits(pids=50, memory=64 * MIB))._replace(argv=("/nowhere/at-all",))

    before = groups()

    with pytest.raises(LaunchFailed, match="could not be started"):
        house.manager.start(spec, {})

    assert groups() == before


def test_the_limit_of_open_files_is_the_kernels(house: House) -> None:
    started = house.start(name=NAME, limits=Limits(nofile=77))

    rows = Path(f"/proc/{started.pid}/limits").read_text().splitlines()
    assert next(row for row in rows if row.startswith("Max open files")).split()[3] == "77"
    assert started.enforcement["nofile"] == "rlimit"


def test_a_group_that_lets_nobody_in_is_given_up_and_the_others_hold(house: House) -> None:
    """A new group of the version 1 hierarchy of cpu sets has no processors, and whoever has none may not enter."""
    need("pids")
    folder = Path("/sys/fs/cgroup/cpuset")
    if not (folder / "cgroup.procs").exists() or not os.access(folder, os.W_OK):
        missing("control groups", "no group that refuses its members can be made on this machine")
    good = next(place for place in places(("pids",)) if "pids" in place.limits)
    leaf = make(f"las-{NAME}-9-0a1b2c3d", Limits(pids=9), (Place(str(folder), 2, ()), good), str(house.folder))
    log = os.open(house.folder / "log", os.O_WRONLY | os.O_CREAT)
    spec = house.spec(name=NAME)._replace(argv=("cat",))

    started = start_in(leaf, ["sleep", "60"], dict(os.environ), spec, StartFiles(str(house.folder), "", log, 9))

    assert len(leaf.parts) == 1
    assert set(leaf.members()) == {started.pid}
    assert leaf.kept == {"pids": f"cgroup v{good.version}"}
    os.kill(started.pid, signal.SIGKILL)
    os.waitpid(started.pid, 0)
    os.close(log)
    assert leaf.remove()
    assert not list(folder.glob(f"las-{NAME}-*"))


def test_the_kernel_or_systemd_of_a_machine_of_our_own_is_the_keeper_that_was_foreseen(house: House) -> None:
    kind = os.environ.get("LAS_OWN_KERNEL")
    if kind is None:
        pytest.skip("control groups: no group of version 2 or systemd of our own; tests/own_kernel/boot has them")
    keeper = "cgroup v2" if kind == "groups" else "systemd scope"
    assert foreseen() == dict.fromkeys(("memory", "cpus", "pids"), keeper)

    limits = Limits(memory=256 * MIB, pids=50, cpus=0.5)
    assert house.start(name=NAME, limits=limits).enforcement == foreseen()


def test_what_runs_in_a_service_ends_with_it(house: House, tmp_path: Path) -> None:
    """A server outlives its kernel, and not the service that somebody stops."""
    kind = os.environ.get("LAS_OWN_KERNEL")
    if kind not in ("systemd", "user"):
        pytest.skip("control groups: no group of a systemd; tests/own_kernel/boot has one")
    whose = ["--user"] if kind == "user" else []
    script = (
        "import sys, time; from pathlib import Path; from native_house import House\n"
        f"house = House(Path({str(tmp_path)!r})); from las_jupyter.core.launch import Limits\n"
        f"started = house.start(name={NAME!r}, limits=Limits(memory=2**28))\n"
        f"Path({str(tmp_path / 'pid')!r}).write_text(str(started.pid)); time.sleep(600)"
    )
    subprocess.run(
        ["systemd-run", *whose, "--quiet", "--collect", "--unit=notebook", f"--working-directory={Path.cwd()}",
         f"--setenv=PYTHONPATH={os.pathsep.join(sys.path)}", sys.executable, "-c", script],
        check=True,
    )  # fmt: skip
    server = pid_in(tmp_path / "pid")
    assert lives(server)

    subprocess.run(["systemctl", *whose, "stop", "notebook"], check=True)

    eventually(lambda: not lives(server), "the server ended with the service")
    eventually(lambda: not groups(), "and its scope is gone")


def test_a_server_that_lives_on_without_a_worker_killed_for_memory_has_a_warning(house: House) -> None:
    need("memory")
    if foreseen()["memory"] != "cgroup v1":
        missing("control groups", "no group of version 2 and no scope leaves half a server alive")

    start_program(house, SURVIVOR, limits=Limits(memory=64 * MIB))

    said = "the kernel killed 1 of its processes because it ran out of memory"
    eventually(lambda: said in house.manager.snapshot(NAME).warnings, "the status warns")
    assert house.manager.snapshot(NAME).state is ProcessState.RUNNING
