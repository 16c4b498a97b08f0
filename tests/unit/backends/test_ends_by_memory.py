"""Killed for memory, stopped by us, or crashed: what the kernel's count and the end say together."""

from __future__ import annotations

import pytest

from las_jupyter.backends.native_limits import enforcement, judged
from las_jupyter.core.backend import ExitStatus
from las_jupyter.core.launch import Limits
from las_jupyter.limits.leaf import Killed

KILL, LIMIT = ExitStatus(None, "SIGKILL"), 64 * 2**20
ONE = Killed(1, at_limit=True)


@pytest.mark.parametrize(
    ("status", "killed", "insisted", "asked", "lately", "told"),
    [
        (KILL, ONE, False, False, True, (True, LIMIT)),
        (KILL, Killed(1, at_limit=False), False, False, True, (True, None)),
        (KILL, Killed(0, at_limit=True), False, False, False, (False, None)),
        (KILL, ONE, True, True, False, (False, None)),
        (KILL, ONE, False, True, True, (True, LIMIT)),
        (KILL, None, False, False, False, (None, None)),
        (KILL, None, True, True, False, (False, None)),
        (ExitStatus(7), ONE, False, False, True, (True, LIMIT)),
        (ExitStatus(7), ONE, False, False, False, (False, None)),
        (ExitStatus(7), ONE, False, True, True, (False, None)),
        (ExitStatus(0), ONE, False, False, True, (False, None)),
        (ExitStatus(None, "SIGSEGV"), Killed(0, at_limit=False), False, False, False, (False, None)),
        (ExitStatus(), ONE, False, False, True, (None, None)),
    ],
    ids=[
        "killed at the limit", "killed for the machine", "killed by somebody", "killed by us", "killed while it stops",
        "nobody counts", "killed by us, nobody counts", "gave up without its worker", "crashed long after",
        "stopped after a loss", "clean end", "crash", "unseen",
    ],
)  # fmt: skip
def test_an_end_is_put_down_to_memory_only_with_evidence(
    status: ExitStatus, killed: Killed | None, insisted: bool, asked: bool, lately: bool,
    told: tuple[bool | None, int | None],
) -> None:  # fmt: skip
    found = judged(status, killed, insisted=insisted, asked_to_stop=asked, lately=lately, limit=LIMIT)

    assert (found.oom, found.oom_limit) == told
    assert (found.code, found.signal) == (status.code, status.signal)


def test_what_no_group_keeps_is_watched_or_said_to_be_kept_by_nobody() -> None:
    everything = Limits(memory=1, cpus=1.0, pids=1, nofile=1)

    assert enforcement(everything, {}) == {"memory": "watched", "cpus": "none", "pids": "watched", "nofile": "rlimit"}
    assert enforcement(everything, {"pids": "cgroup v1"})["pids"] == "cgroup v1"
    assert enforcement(Limits(), {"pids": "cgroup v1"}) == {}
