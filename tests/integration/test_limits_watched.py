"""
Where no control group can be made, the supervisor keeps the limits by its own watch.

The house is in a mount namespace of its own, in which an empty folder hides every control group.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from required import missing

TESTS = Path(__file__).parents[1]
HIDDEN = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
PROGRAM = """
import json, sys
from pathlib import Path
from native_house import House
from las_jupyter.core.launch import Limits
from las_jupyter.core.states import ProcessState

house = House(Path(sys.argv[1]))
habits, limits = json.loads(sys.argv[2])
spec = house.spec(*habits, limits=Limits(**limits))
if len(sys.argv) > 3:
    spec = spec._replace(argv=(sys.executable, "-I", "-S", "-c", sys.argv[3]))
house.manager.start(spec, {})
ended = house.until(ProcessState.FAILED, within=30)
house.close()
print(json.dumps([ended.reason, ended.enforcement, ended.exit.oom, ended.exit.text]))
"""
CROWD = """
import os, time
for _ in range(30):
    if os.fork() == 0:
        time.sleep(600)
print("up", flush=True)
time.sleep(600)
"""


def without_groups(folder: Path, habits: list[str], limits: dict[str, Any], *program: str) -> list[Any]:
    """How a server ended on a machine without control groups: its reason, who kept what, whether memory killed it."""
    tried = shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    if not tried or tried.returncode:
        missing("control groups", "no group can be hidden without a mount namespace of our own")
    words = ["unshare", "-m", "sh", "-c", HIDDEN, "sh", sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(
        [*words, json.dumps([habits, limits]), *program],
        env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True, check=False, text=True, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.native
def test_memory_that_no_group_bounds_is_watched_and_the_server_stopped(tmp_path: Path) -> None:
    reason, kept, oom, text = without_groups(tmp_path, ["memory=200"], {"memory": 64 * 2**20, "cpus": 0.5})

    assert reason.startswith("it used ")
    assert reason.endswith("more than its limit of 64.0 MiB")
    assert kept == {"memory": "watched", "cpus": "none"}
    assert oom
    assert text == f"ended by us, with exit code 0: {reason}"


@pytest.mark.native
def test_processes_that_no_group_bounds_are_counted_and_the_server_stopped(tmp_path: Path) -> None:
    reason, kept, oom, _ = without_groups(tmp_path, [], {"pids": 20}, CROWD)

    assert reason == "it had 31 processes and threads, more than its limit of 20"
    assert kept == {"pids": "watched"}
    assert not oom
