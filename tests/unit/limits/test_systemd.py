"""
The words by which a systemd is asked for a scope, and the signs that there is one to ask.

What systemd then does with them is its own; a machine that runs one is needed to see it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from las_jupyter.core.launch import Limits
from las_jupyter.limits.cgroup import read
from las_jupyter.limits.systemd import Manager, entered, manager, own_service, prefix

ALL = ("memory", "cpus", "pids")
BOUNDS = Limits(memory=2 * 2**30, cpus=0.5, pids=512)


def test_a_users_scope_has_every_limit_and_then_the_program() -> None:
    by = Manager("/usr/bin/systemd-run", True, ALL, "/run/user/1000")

    assert prefix(by, "las-one-1-abcd.scope", BOUNDS) == [
        "/usr/bin/systemd-run", "--user", "--scope", "--quiet", "--collect", "--unit=las-one-1-abcd.scope",
        "-p", "MemoryMax=2147483648", "-p", "MemorySwapMax=0", "-p", "CPUQuota=50%", "-p", "TasksMax=512", "--",
    ]  # fmt: skip


def test_the_systems_scope_is_asked_for_without_a_user_and_only_for_what_it_can_keep() -> None:
    by = Manager("systemd-run", False, ("memory",))

    words = prefix(by, "las-one-1-abcd.scope", BOUNDS)

    assert "--user" not in words
    assert [word for word in words if "=" in word and not word.startswith("--")] == [
        "MemoryMax=2147483648", "MemorySwapMax=0",
    ]  # fmt: skip


def test_a_scope_ends_with_the_service_around_us() -> None:
    by = Manager("systemd-run", True, ("memory",), "/run/user/1000", "jupyter.service")

    assert prefix(by, "x.scope", BOUNDS)[-3:] == ["-p", "BindsTo=jupyter.service", "--"]


@pytest.mark.parametrize(
    ("text", "user", "service"),
    [
        ("0::/system.slice/jupyterhub.service\n", False, "jupyterhub.service"),
        ("0::/user.slice/user-7.slice/user@7.service/app.slice/lab.service\n", True, "lab.service"),
        ("0::/user.slice/user-7.slice/user@7.service/app.slice/term.scope\n", True, ""),
        ("0::/user.slice/user-7.slice/session-3.scope\n", True, ""),
        ("4:memory:/x.service\n1:name=systemd:/system.slice/lab.service\n", False, "lab.service"),
        ("", False, ""),
    ],
)
def test_the_service_around_us_is_known_by_our_group(text: str, user: bool, service: str) -> None:
    assert own_service(text, user=user) == service


def test_without_the_program_there_is_no_systemd_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert manager(ALL) is None


def test_a_program_without_a_systemd_that_answers_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    if read("/proc/1/comm").strip() == "systemd" and os.geteuid() == 0:
        pytest.skip("control groups: no group is needed to see it: a systemd runs here")
    program = tmp_path / "systemd-run"
    program.touch()
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    assert manager(ALL) is None


def test_a_process_that_has_ended_enters_no_scope() -> None:
    pid = os.posix_spawnp("true", ["true"], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert entered(pid, "las-one-1-abcd.scope") == ()
    os.waitpid(pid, 0)
