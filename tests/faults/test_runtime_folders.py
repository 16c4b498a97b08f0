"""The control socket of a state folder with a long path is found by clients whose environment differs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from native_house import House, lives

from las_jupyter.core.states import ProcessState
from las_jupyter.runtime.manager import Manager
from las_jupyter.state import paths
from las_jupyter.state.paths import StatePaths

pytestmark = pytest.mark.native


@pytest.fixture
def deep(house: House) -> House:
    folder = house.folder / ("deep" * 30)
    house.paths = StatePaths(str(folder), str(folder / "logs"))
    house.manager = Manager(house.paths)
    return house


@pytest.mark.parametrize("first", [True, False], ids=["set first", "unset first"])
def test_a_client_without_the_runtime_folder_in_its_environment_finds_the_supervisor(
    deep: House, first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / str(os.getuid())
    runtime.mkdir(mode=0o700)
    monkeypatch.setattr(paths, "_OF_SESSIONS", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if first:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    pid = deep.start().pid
    if first:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))

    assert deep.manager.stop("one").state is ProcessState.STOPPED
    assert not lives(pid)


def test_a_runtime_folder_that_does_not_exist_hinders_no_start(deep: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/no/such/folder")

    assert deep.start().state is ProcessState.RUNNING
