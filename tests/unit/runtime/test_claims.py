"""A port belongs to a start until its server listens, and to nobody once the one who asked for it is gone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from las_jupyter.core.errors import PortTaken
from las_jupyter.core.launch import LaunchSpec, Port
from las_jupyter.core.states import Mode
from las_jupyter.runtime import claims
from las_jupyter.runtime.claims import PortClaims
from las_jupyter.state.lock import Lock
from las_jupyter.state.paths import StatePaths


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    found = StatePaths(str(tmp_path), str(tmp_path / "logs"))
    for name in ("one", "two"):
        Path(found.instance(name)).mkdir(parents=True)
    return found


def a_spec(name: str, *ports: int) -> LaunchSpec:
    return LaunchSpec(name, "fake", Mode.NATIVE, "native", ("x",), ports=tuple(Port(f"p{n}", n, n) for n in ports))


def test_a_port_is_claimed_once(paths):
    ours = PortClaims(paths)
    ours.claim(a_spec("one", 4000, 4001))

    with pytest.raises(PortTaken) as caught:
        PortClaims(paths).claim(a_spec("two", 4001))

    assert caught.value.cause == "the instance one has it"
    assert ours.taken(but="two") == {4000: "the instance one", 4001: "the instance one"}


def test_of_several_ports_all_are_claimed_or_none(paths):
    both = PortClaims(paths)
    both.claim(a_spec("one", 4001))

    with pytest.raises(PortTaken):
        both.claim(a_spec("two", 4000, 4001))

    assert both.taken(but="one") == {}


def test_a_name_may_claim_its_own_ports_again(paths):
    ours = PortClaims(paths)
    ours.claim(a_spec("one", 4000))
    ours.claim(a_spec("one", 4000, 4002))

    assert set(ours.taken(but="")) == {4000, 4002}


def test_what_was_released_is_free(paths):
    ours = PortClaims(paths)
    ours.claim(a_spec("one", 4000))
    ours.release("one")

    ours.claim(a_spec("two", 4000))


def test_a_claim_lives_as_long_as_the_start_that_made_it(paths, monkeypatch):
    monkeypatch.setattr(claims, "_GRACE", 0.0)
    start = Lock(paths.start_lock("one"))
    assert start.acquire()
    PortClaims(paths).claim(a_spec("one", 4000))
    assert set(PortClaims(paths).taken(but="two")) == {4000}

    start.release()

    assert PortClaims(paths).taken(but="two") == {}


def test_a_client_that_was_killed_keeps_its_port_for_a_moment_only(paths):
    script = (
        "import os, signal, sys\n"
        "from las_jupyter.core.launch import LaunchSpec, Port\n"
        "from las_jupyter.core.states import Mode\n"
        "from las_jupyter.runtime.claims import PortClaims\n"
        "from las_jupyter.state.lock import Lock\n"
        "from las_jupyter.state.paths import StatePaths\n"
        "paths = StatePaths(*sys.argv[1:])\n"
        "assert Lock(paths.start_lock('one')).acquire()\n"
        "PortClaims(paths).claim(LaunchSpec('one', 'x', Mode.NATIVE, 'native', (), ports=(Port('p', 4000, 4000),)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, *paths], check=False)
    file = Path(paths.state_dir, "ports.json")
    claim = json.loads(file.read_text())[0]

    assert set(PortClaims(paths).taken(but="two")) == {4000}, "its supervisor may be on its way"
    file.write_text(json.dumps([{**claim, "at": time.time() - 60}]))
    assert PortClaims(paths).taken(but="two") == {}


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"7", b"[1]", b'[{"port": "x"}]', b"\xff", b"[" * 100_000])
def test_a_damaged_list_hinders_no_start(paths, content):
    Path(paths.state_dir, "ports.json").write_bytes(content)

    PortClaims(paths).claim(a_spec("one", 4000))

    assert set(PortClaims(paths).taken(but="two")) == {4000}
