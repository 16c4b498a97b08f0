"""Nothing of a server escapes the tree, in whatever order its processes and threads end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from las_jupyter.backends import native_tree
from las_jupyter.limits.tree import read_process

pytestmark = [pytest.mark.native, pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")]

HEADLESS = """
import ctypes, os, subprocess, sys, threading, time
child = subprocess.Popen(["sleep", "60"])
threading.Thread(target=time.sleep, args=(60,)).start()
print(child.pid, flush=True)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # ends this thread, not the process
"""


def until(what: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    return what()


@pytest.fixture
def headless() -> Iterator[tuple[int, int]]:
    """A process whose first thread has ended, as one that is being killed looks for a while, and its child."""
    process = subprocess.Popen([sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    child = int(process.stdout.readline())

    def headless_now() -> bool:
        seen = read_process(process.pid)
        return seen is not None and seen.state == "Z"

    assert until(headless_now)
    yield process.pid, child
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    process.stdout.close()


def test_a_process_that_lost_its_first_thread_is_still_there_and_so_is_its_child(headless: tuple[int, int]):
    assert set(headless) <= set(native_tree.household())


def test_what_has_ended_altogether_is_not_there():
    process = subprocess.Popen(["true"], start_new_session=True)

    def ended() -> bool:
        seen = read_process(process.pid)
        return seen is not None and seen.state == "Z"

    assert until(ended)

    assert process.pid not in native_tree.household()
    process.wait(timeout=10)
