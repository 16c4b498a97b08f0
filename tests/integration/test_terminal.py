"""The command in a real terminal, and the same server seen from a notebook."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from kernels import a_kernel
from processes import alive, eventually

import las_jupyter as las

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]

COMMAND = [sys.executable, "-m", "las_jupyter.cli"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=60)


def test_a_server_started_in_a_terminal_outlives_the_command():
    started = run("start", "http-echo", "--name", "echo", "--json")

    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout)["state"] == "running"
    assert alive(las.get("echo").pid)
    assert json.loads(run("status", "--json").stdout)[0]["name"] == "echo"

    stopped = run("stop", "echo")
    assert stopped.stdout.startswith("echo stopped: ")


def test_a_followed_log_ends_with_its_instance():
    las.start("http-echo", name="echo", args=["--exit-after", "2"])

    followed = run("logs", "echo", "-f")

    assert followed.returncode == 0
    assert followed.stdout == "".join(f"{line}\n" for line in las.get("echo").logs())
    assert followed.stdout


def test_an_interrupted_follow_ends_the_command_and_not_the_server():
    llm = las.start("http-echo", name="echo")
    following = subprocess.Popen([*COMMAND, "logs", "echo", "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert following.stdout is not None
    following.stdout.readline()

    following.send_signal(signal.SIGINT)
    _, errors = following.communicate(timeout=20)

    assert following.returncode == 130
    assert b"Traceback" not in errors
    assert alive(llm.pid)


def test_an_interrupted_start_ends_the_command_and_not_the_server():
    starting = subprocess.Popen(
        [*COMMAND, "start", "http-echo", "--name", "echo", "--", "--load-seconds", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: any(each.state == "starting" for each in las.status()), "it is starting")

    starting.send_signal(signal.SIGINT)
    _, errors = starting.communicate(timeout=20)

    assert starting.returncode == 130
    assert "Stopped waiting for echo; it goes on in the background." in errors
    assert "las-jupyter stop echo ends it" in errors
    assert las.get("echo").wait_ready(timeout=30).state == "running"


def test_a_slow_start_shows_a_line_in_a_terminal_that_goes_away():
    leader, follower = pty.openpty()
    starting = subprocess.Popen(
        [*COMMAND, "start", "http-echo", "--name", "echo", "--", "--load-seconds", "4"],
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            data = os.read(leader, 4096)
        except OSError:
            break
        shown += data
    os.close(leader)

    assert starting.wait(timeout=20) == 0
    assert b"echo: starting" in shown
    assert b" s)" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_a_slow_start_shows_a_line_in_a_notebook_that_goes_away():
    with a_kernel() as kernel:
        shown = kernel.run("import las_jupyter as las\nx = las.start('http-echo', args=['--load-seconds', '4'])")

    lines = [bundle["text/plain"] for bundle in shown.bundles]
    assert shown.ok, shown.error_lines
    assert any("http-echo: starting" in line for line in lines)
    assert lines[-1] == ""
    assert shown.text == ""


def test_a_quick_start_shows_nothing_in_a_notebook():
    with a_kernel() as kernel:
        # How long a start takes here is the machine's matter; what is quick is what ends before the patience does.
        kernel.run("from las_jupyter.display import progress\nprogress.PATIENCE_SECONDS = 600.0")
        shown = kernel.run("import las_jupyter as las\nx = las.start('http-echo')")

    assert shown.ok, shown.error_lines
    assert shown.bundles == []
    assert shown.text == ""


def test_following_goes_on_across_a_restart():
    echo = las.start("http-echo", name="echo")
    lines = echo.follow(tail=0)
    pid = echo.pid
    echo.restart()
    echo.stop()

    text = "\n".join(lines)

    assert echo.pid != pid
    assert str(echo.port) in text


def test_a_stopped_server_is_gone_from_its_port():
    echo = las.start("http-echo")
    port = echo.port
    echo.stop()

    again = las.start("http-echo", port=port)

    assert again.port == port
    assert time.time() - (again.started_at or 0) < 60
