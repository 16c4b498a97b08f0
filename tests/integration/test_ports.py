"""Servers that start at the same moment, in processes that know nothing of each other, never share a port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import las_jupyter as las
from las_jupyter.core.errors import PortTaken
from las_jupyter.core.states import ProcessState

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]

LATE = """
import http.server, sys, time
time.sleep(2)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
START = """
import json, sys, pathlib, time
import las_jupyter as las
pathlib.Path(sys.argv[3]).write_text("")
while not pathlib.Path(sys.argv[4]).exists():
    time.sleep(0.002)
server = las.start(sys.argv[1], name=sys.argv[2], wait=False)
print(json.dumps([server.port, server.wait_ready(timeout=90).port]))
"""


def ten_free_ports_in_a_row() -> int:
    """The first of them."""
    for first in range(20_000, 30_000, 10):
        with socket.socket() as probe:
            if all(probe.connect_ex(("127.0.0.1", port)) for port in range(first, first + 10)):
                return first
    raise AssertionError("this machine has no ten free ports in a row")


@pytest.fixture
def late(tmp_path: Path) -> tuple[Path, int]:
    """A trusted manifest of a server that listens two seconds after its first instruction, and its usual port."""
    script, manifest, port = tmp_path / "late.py", tmp_path / "manifest.yaml", ten_free_ports_in_a_row()
    script.write_text(LATE)
    manifest.write_text(
        f"name: late\nruntime: {{modes: [native]}}\nports: [{{name: http, default: {port}}}]\n"
        f"launch: {{native: {{argv: [{sys.executable}, {script}, '{{port}}']}}}}\n"
        "health: {ready: {http: {path: /}}}\n"
    )
    las.trust(manifest)
    return manifest, port


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_eight_processes_that_start_at_once_get_eight_ports_in_a_row(late, tmp_path):
    manifest, usual = late
    go = tmp_path / "go"
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(manifest), f"late-{index}", str(tmp_path / f"here-{index}"), str(go)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(8)
    ]
    from processes import eventually

    eventually(lambda: len(list(tmp_path.glob("here-*"))) == 8, "all are waiting for the word", within=60)
    go.write_text("")
    said = [process.communicate(timeout=180) for process in racing]

    assert [process.returncode for process in racing] == [0] * 8, said
    ports = [json.loads(out) for out, _ in said]
    assert all(first == last for first, last in ports), "a server kept the port it was promised"
    assert sorted(port for port, _ in ports) == list(range(usual, usual + 8))
    assert not any("failed" in err for _, err in said), said


def test_a_port_is_kept_for_a_server_that_does_not_listen_yet(late):
    manifest, usual = late
    first = las.start(manifest, name="first", wait=False)

    plan = las.plan(manifest, name="second")

    assert (first.port, plan.spec.ports[0].host) == (usual, usual + 1)
    decision = next(each for each in plan.decisions if each.subject == "port http")
    assert decision.passed_over == {str(usual): "the instance first has it"}
    with pytest.raises(PortTaken, match="is taken") as caught:
        las.start(manifest, name="second", port=usual)
    assert caught.value.cause == "the instance first has it"


def test_after_its_end_a_port_is_free_for_others(late):
    manifest, usual = late
    las.start(manifest, name="first", wait=False).stop()

    assert las.plan(manifest, name="second").spec.ports[0].host == usual


def test_another_program_is_named_with_its_process(late, listening):
    with pytest.raises(PortTaken) as caught:
        las.start(late[0], port=listening)

    assert f"(pid {os.getpid()})" in (caught.value.cause or "")


def test_a_start_leaves_no_claim_behind(late):
    server = las.start(late[0])
    claims = Path(os.environ["LAS_JUPYTER_STATE_DIR"], "ports.json")

    assert server.state is ProcessState.RUNNING
    assert json.loads(claims.read_text()) == []
