"""A socket may lie at a path of any length, and nobody else can take its place."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from las_jupyter.core.errors import SupervisorUnreachable
from las_jupyter.runtime.client import ask
from las_jupyter.state import paths as paths_module
from las_jupyter.state import sockets
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.control import Control


def talk(path: str) -> None:
    """Bind, connect, say a word, and leave nothing."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        sockets.bind(server, path)
        server.listen()
        client.settimeout(5)
        sockets.connect(client, path)
        client.sendall(b"hello")
        heard, _ = server.accept()
        with heard:
            assert heard.recv(16) == b"hello"
    sockets.unlink(path)
    assert not os.path.lexists(path)


names = some.text(some.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=some.lists(names.filter(lambda name: name.strip(".") and len(os.fsencode(name)) < 200), max_size=8))
@example(parts=["x" * 200] * 10)
def test_a_socket_can_be_bound_and_found_at_a_path_of_any_length(tmp_path: Path, parts: list[str]) -> None:
    folder = tmp_path.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)

    talk(str(folder / "control.sock"))


@pytest.mark.parametrize("length", range(95, 115))
def test_no_length_falls_between_the_ways(tmp_path: Path, length: int) -> None:
    folder = tmp_path / ("d" * (length - len(str(tmp_path)) - len("/control.sock") - 1))
    folder.mkdir()
    path = str(folder / "control.sock")
    assert len(path) == length

    talk(path)


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 200)
    folder.mkdir()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    talk(str(folder / "control.sock"))
    with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as client:
        sockets.connect(client, str(folder / "none.sock"))

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.fixture
def without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without ``/proc``, and its folder where everybody may write."""
    shared = Path(tempfile.mkdtemp(prefix="las", dir="/tmp"))  # pytest's own folders are too deep
    shared.chmod(0o1777)
    monkeypatch.setattr(sockets, "_DESCRIPTORS", str(tmp_path / "no"))
    monkeypatch.setattr(sockets, "_ELSEWHERE", str(shared))
    yield shared
    shutil.rmtree(shared)


@pytest.fixture
def far(tmp_path: Path) -> str:
    folder = tmp_path / ("d" * 200)
    folder.mkdir()
    return str(folder / "control.sock")


def test_without_proc_it_lies_in_a_new_private_folder_and_goes_with_it(without_proc: Path, far: str) -> None:
    control = Control(far, lambda *_: {"ok": True})
    (made,) = without_proc.iterdir()
    assert made.stat().st_mode & 0o777 == 0o700
    with socket.socket(socket.AF_UNIX) as client:
        sockets.connect(client, far)
    assert control.reachable()

    control.close()

    assert list(without_proc.iterdir()) == []
    assert not os.path.lexists(far)


def test_without_proc_what_a_dead_supervisor_left_is_cleared_by_the_next(without_proc: Path, far: str) -> None:
    dead = Control(far, lambda *_: {"ok": True})
    dead.socket.close()

    control = Control(far, lambda *_: {"ok": True})

    assert len(list(without_proc.iterdir())) == 1
    control.close()
    assert list(without_proc.iterdir()) == []


@pytest.mark.parametrize("squat", ["folder of another", "writable", "link", "gone"])
def test_without_proc_nobody_is_spoken_to_in_a_folder_that_is_not_private(
    without_proc: Path, far: str, squat: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody cleaned the shared folder, and somebody else took the name."""
    control = Control(far, lambda *_: {"ok": True})
    (made,) = without_proc.iterdir()
    match squat:
        case "folder of another":
            monkeypatch.setattr(os, "getuid", lambda: 4711)
        case "writable":
            made.chmod(0o770)
        case "link":
            made.rename(tmp_path / "moved")
            made.symlink_to(tmp_path / "moved")
        case _:
            made.rename(tmp_path / "moved")

    with pytest.raises(SupervisorUnreachable):
        ask(far, "ping")

    control.socket.close()


def test_without_proc_a_name_that_is_taken_is_not_used(
    without_proc: Path, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" * count)
    (without_proc / f"las-{'00' * 16}").symlink_to(without_proc)

    with pytest.raises(FileExistsError):
        Control(far, lambda *_: {"ok": True})

    assert not os.path.lexists(far)


def test_a_supervisor_of_an_older_version_is_found_where_it_put_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StatePaths(str(tmp_path / ("d" * 120)), "/l")
    runtime = tmp_path / "run"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    (runtime / "las_jupyter").mkdir(parents=True, mode=0o700)
    Path(state.instance("one")).mkdir(parents=True)
    ours = f"{state.instance('one')}/control.sock"
    assert state.socket("one") == ours
    older = runtime / "las_jupyter" / f"{paths_module._short(state.instance('one'))}.sock"
    older.touch()

    assert state.socket("one") == str(older)
    assert state.pipe("one") == str(older.with_suffix(".pipe"))
    (runtime / "las_jupyter").chmod(0o777)
    assert state.socket("one") == ours
    (runtime / "las_jupyter").chmod(0o700)
    talk_there = Control(ours, lambda *_: {"ok": True})
    assert state.socket("one") == ours
    talk_there.close()


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o177])
def test_the_socket_is_for_its_user_alone_whatever_the_umask(without_proc: Path, far: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        control = Control(far, lambda *_: {"ok": True})
    finally:
        os.umask(before)

    (made,) = without_proc.iterdir()
    assert made.stat().st_mode & 0o777 == 0o700
    assert next(made.iterdir()).stat().st_mode & 0o777 == 0o600
    control.close()
