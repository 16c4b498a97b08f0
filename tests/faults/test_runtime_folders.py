"""A state folder with a long path needs no folder elsewhere, so that nobody can take one from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from native_house import House, eventually, lives

from las_jupyter.core.launch import LogRule
from las_jupyter.core.states import LogCapture, ProcessState
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths

pytestmark = pytest.mark.native


@pytest.fixture
def deep(house: House) -> House:
    folder = house.folder / ("deep" * 30) / ("deeper" * 30)
    house.paths = StatePaths(str(folder), str(folder / "logs"))
    house.manager = Manager(house.paths)
    return house


@pytest.mark.parametrize("capture", [LogCapture.DIRECT, LogCapture.PUMP])
def test_a_supervisor_below_a_long_path_is_spoken_to_replaced_and_stopped(deep: House, capture: LogCapture) -> None:
    pid = deep.start(logs=LogRule(capture=capture)).pid
    socket = Path(deep.paths.instance("one")) / "control.sock"
    assert socket.is_socket()
    assert socket.stat().st_mode & 0o777 == 0o600
    deep.kill_supervisor()
    assert deep.manager.snapshot("one").pid == pid

    assert deep.manager.stop("one").state is ProcessState.STOPPED
    assert not lives(pid)
    eventually(lambda: not socket.exists(), "its socket is gone")


@pytest.mark.parametrize("first", [True, False], ids=["set first", "unset first"])
@pytest.mark.parametrize("squat", ["of others", "a link", "a file", "not there"])
def test_whatever_others_did_to_runtime_folders_hinders_neither_a_start_nor_a_stop(
    deep: House, squat: str, first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    match squat:
        case "of others":
            (runtime / "las_jupyter").mkdir(parents=True)
            (runtime / "las_jupyter").chmod(0o777)
        case "a link":
            runtime.mkdir()
            (runtime / "las_jupyter").symlink_to("/proc")
        case "a file":
            runtime.write_text("mine")
        case _:
            pass
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime)) if first else monkeypatch.delenv(
        "XDG_RUNTIME_DIR", raising=False
    )
    assert deep.start().state is ProcessState.RUNNING
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False) if first else monkeypatch.setenv(
        "XDG_RUNTIME_DIR", str(runtime)
    )

    assert deep.manager.stop("one").state is ProcessState.STOPPED
    if squat == "of others":
        assert os.listdir(runtime / "las_jupyter") == []  # noqa: PTH208
