"""
What only a kernel of our own shows: version 2 of control groups with every controller, and a user who was given none.

``tests/own_kernel/boot`` brings the kernel; anywhere else these tests skip.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from native_house import House, eventually, house, lives, pid_in

from las_jupyter.core.launch import Limits, LogProbe, ReadyRule
from las_jupyter.core.states import ProcessState
from las_jupyter.limits.leaf import Leaf, noted

__all__ = ["house"]

KIND = os.environ.get("LAS_OWN_KERNEL")
pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(
        KIND is None, reason="control groups: no group of a kernel of our own; see tests/own_kernel/boot"
    ),
]
MIB = 2**20
NOBODY_IN_PARTICULAR = 4321
"""A user to whom nobody delegated a group, and who has no systemd."""
TESTS = Path(__file__).parents[1]

AS_SOMEBODY = """
import json, sys
from pathlib import Path
from native_house import House
from las_jupyter.backends.native_limits import foreseen
from las_jupyter.core.launch import Limits
from las_jupyter.core.states import ProcessState

house = House(Path(sys.argv[1]))
house.manager.start(house.spec("memory=200", limits=Limits(memory=64 * 2**20, cpus=0.5, pids=50)), {})
ended = house.until(ProcessState.FAILED, within=30)
house.close()
print(json.dumps([foreseen(), ended.enforcement, ended.exit.oom, ended.exit.text]))
"""
ALWAYS_ANOTHER = """
import os, time
print("up", flush=True)
if os.fork():
    time.sleep(600)
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.002)
"""
IN_A_GROUP_OF_ITS_OWN = """
import os, time
from pathlib import Path
group = next(line[3:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::"))
inner = Path("/sys/fs/cgroup" + group, "inner", "most")
inner.mkdir(parents=True)
(inner / "cgroup.procs").write_text("0")
Path(os.environ["HOUSE"], "pid").write_text(str(os.getpid()))
print("up", flush=True)
if TAKE:
    ballast = b"x" * (300 << 20)
time.sleep(600)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of that user's; pytest's own are root's alone."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a program of somebody else")
    folder = Path(tempfile.mkdtemp(prefix="las-"))
    os.chown(folder, NOBODY_IN_PARTICULAR, NOBODY_IN_PARTICULAR)
    yield folder
    shutil.rmtree(folder)


def start_program(house: House, text: str, limits: Limits) -> None:
    spec = house.spec(limits=limits)
    argv = (sys.executable, "-I", "-S", "-c", text)
    house.manager.start(spec._replace(argv=argv, ready=ReadyRule(LogProbe("^up$"))), {})


def leaf_of(house: House) -> Leaf:
    return noted(house.paths.instance("one"))


def test_a_user_without_a_group_or_a_systemd_has_the_watch_and_the_plan_says_so(open_folder: Path) -> None:
    told: list[Any] = json.loads(
        subprocess.run(
            [sys.executable, "-c", AS_SOMEBODY, str(open_folder)],
            env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PATH": "/usr/bin:/bin", "HOME": str(open_folder)},
            user=NOBODY_IN_PARTICULAR, group=NOBODY_IN_PARTICULAR, extra_groups=[], cwd="/",
            check=True, stdout=subprocess.PIPE, text=True, timeout=90,
        ).stdout
    )  # fmt: skip

    watched = {"memory": "watched", "cpus": "none", "pids": "watched"}
    assert told[:3] == [watched, watched, True], told
    assert "ran out of memory" in told[3] or "limit of 64.0 MiB" in told[3]


def test_what_forks_faster_than_anybody_can_look_is_ended_at_once_by_the_kernel(house: House) -> None:
    start_program(house, ALWAYS_ANOTHER, Limits(memory=512 * MIB, pids=100))
    leaf = leaf_of(house)
    assert [part.version for part in leaf.parts] == [2]
    seen: set[int] = set()
    eventually(lambda: seen.update(leaf.members()) or len(seen) >= 5, "it goes on as ever another process")

    assert leaf.kill()

    eventually(lambda: not leaf.members(), "nothing is left in the group", within=2)


def test_a_server_that_makes_groups_in_its_own_is_found_there_ended_and_they_are_removed(house: House) -> None:
    start_program(house, IN_A_GROUP_OF_ITS_OWN.replace("TAKE", "False"), Limits(memory=256 * MIB))
    inner, leaf = pid_in(house.folder / "pid"), leaf_of(house)
    assert inner in leaf.members()

    house.manager.stop("one", grace=5)

    assert not lives(inner)
    eventually(lambda: not any(Path(part.folder).exists() for part in leaf.parts), "the groups are gone")


def test_the_limit_holds_in_groups_that_the_server_makes_and_the_end_says_so(house: House) -> None:
    start_program(house, IN_A_GROUP_OF_ITS_OWN.replace("TAKE", "True"), Limits(memory=64 * MIB))

    ended = house.until(ProcessState.FAILED)

    assert ended.exit
    assert ended.exit.text == "killed because it ran out of memory at its limit of 64.0 MiB, ended by SIGKILL"
