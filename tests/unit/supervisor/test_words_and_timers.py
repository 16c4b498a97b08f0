"""Sentences about ends, and moments on the monotonic clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from las_jupyter.core.backend import ExitStatus
from las_jupyter.core.snapshot import Leftover
from las_jupyter.supervisor.timers import Timers
from las_jupyter.supervisor.words import cannot_end, exit_text


@pytest.mark.parametrize(
    ("status", "requested", "said"),
    [
        (ExitStatus(0), True, "stopped as requested, ended with exit code 0"),
        (ExitStatus(3), False, "it ended by itself with exit code 3"),
        (ExitStatus(None, "SIGSEGV"), False, "it ended by itself by SIGSEGV: it crashed (segmentation fault)"),
        (ExitStatus(None, "SIGKILL", True), False, "killed because it ran out of memory, ended by SIGKILL"),
        (
            ExitStatus(None, "SIGKILL", True, "", 2**30),
            False,
            "killed because it ran out of memory at its limit of 1.0 GiB, ended by SIGKILL",
        ),
        (
            ExitStatus(None, "SIGKILL", False),
            False,
            "it ended by SIGKILL: killed from outside, and not at its memory limit",
        ),
        (ExitStatus(), False, "it ended, and its exit status is unknown: nobody saw it"),
    ],
)
def test_an_end_is_told_in_one_sentence(status: ExitStatus, requested: bool, said: str) -> None:
    assert exit_text(status, requested=requested) == said


def test_an_end_that_nobody_asked_for_but_we_made_says_why() -> None:
    because = "it made no progress for 2 min before it was ready"

    told = exit_text(ExitStatus(None, "SIGTERM"), requested=False, because=because)

    assert told == f"ended by us, by SIGTERM: {because}"


def test_what_cannot_be_ended_is_named_with_what_it_hangs_in() -> None:
    left = (Leftover(12, "worker", "in uninterruptible sleep (nfs_wait)"),)

    assert cannot_end(left) == "cannot be ended: worker (12, in uninterruptible sleep (nfs_wait))"


def test_timers_come_due_in_order_and_once() -> None:
    timers = Timers()
    timers.set("late", 0.0)
    timers.set("early", -1.0)
    timers.set("far", 60.0)

    assert timers.due() == ["early", "late"]
    assert timers.due() == []
    assert "far" in timers
    timers.drop("far")
    assert timers.next == float("inf")


HEAVY = ("asyncio", "subprocess", "inspect", "dataclasses", "logging", "http", "psutil", "pathlib", "hashlib",
         "tempfile", "shutil", "threading", "importlib.metadata", "pydantic", "traceback")  # fmt: skip


def test_a_native_supervisor_imports_nothing_heavy() -> None:
    root = Path(__file__).parents[3]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import las_jupyter.supervisor.main, las_jupyter.backends.native\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code, root], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
