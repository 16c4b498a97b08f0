"""Forgetting an instance whose supervisor tells the end before it is over."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from las_jupyter.core.errors import InstanceConflict, LaunchFailed
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.runtime import manager as rooms
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.files import write_value
from las_jupyter.state.lock import Lock
from las_jupyter.state.own_files import is_instance_file
from las_jupyter.state.paths import StatePaths


@pytest.fixture
def ended(tmp_path: Path) -> Manager:
    """An instance called ``chat`` that has ended, and a lock on it that nobody holds."""
    paths = StatePaths(str(tmp_path), str(tmp_path / "logs"))
    Path(paths.instance("chat")).mkdir(parents=True, mode=0o700)
    Path(paths.logs("chat")).mkdir(parents=True)
    write_value(paths.state("chat"), Snapshot("chat", "x", Mode.NATIVE, "native", ProcessState.STOPPED, "stopped"))
    return Manager(paths)


def test_what_has_ended_is_forgotten_with_its_logs(ended: Manager) -> None:
    ended.remove("chat")

    assert not Path(ended.paths.instance("chat")).exists()
    assert not Path(ended.paths.logs("chat")).exists()


def test_the_last_words_of_a_supervisor_do_not_bring_it_back(ended: Manager) -> None:
    lock = Lock(ended.paths.lock("chat"))
    assert lock.acquire()
    last_words = ended.paths.state("chat")
    before = Snapshot("chat", "x", Mode.NATIVE, "native", ProcessState.STOPPED, "the last words")

    def end() -> None:
        # A supervisor makes its folder again when somebody deleted it.
        Path(last_words).parent.mkdir(exist_ok=True)
        write_value(last_words, before)
        lock.release()

    ending = threading.Timer(0.2, end)
    ending.start()
    ended.remove("chat")
    ending.join()

    assert not Path(ended.paths.instance("chat")).exists()


def test_a_supervisor_that_does_not_end_is_said_so(ended: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "_END_WITHIN", 0.05)
    lock = Lock(ended.paths.lock("chat"))
    assert lock.acquire()

    with pytest.raises(InstanceConflict, match="still ending"):
        ended.remove("chat")
    lock.release()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


def test_a_persons_files_in_the_folder_of_its_logs_stay_and_are_told(ended: Manager) -> None:
    logs = Path(ended.paths.logs("chat"))
    (logs / "0001-20260801T120000Z.log").write_text("ours")
    (logs / "main.c").write_text("theirs")
    (logs / "src").mkdir()
    (logs / "src" / "0001-20260801T120000Z.log").write_text("theirs")

    assert ended.remove("chat") == (str(logs / "main.c"), str(logs / "src"))

    assert files(logs) == {"main.c", "src/0001-20260801T120000Z.log"}
    assert not Path(ended.paths.instance("chat")).exists()


names = st.text(
    st.characters(codec="ascii", categories=["L", "N", "P"], exclude_characters="/"), min_size=1, max_size=20
)


@given(st.sets(names.filter(lambda name: name not in (".", "..")) | st.sampled_from(
    ["state.json.bak", "notes.txt", "secret-", "lock.x", ".tmp", "state.json.corrupt-", "x.corrupt-17"])))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_foreign_files_of_any_name_survive_in_the_folder_of_an_instance(
    tmp_path_factory: pytest.TempPathFactory, foreign: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    paths = StatePaths(str(folder), str(folder / "logs"))
    mine = Path(paths.instance("chat"))
    mine.mkdir(parents=True, mode=0o700)
    write_value(paths.state("chat"), Snapshot("chat", "x", Mode.NATIVE, "native", ProcessState.STOPPED, "stopped"))
    for name in ("spec.json", "events.jsonl", "secret-api_key", "state.json.corrupt-17", "state.json.4711.tmp"):
        (mine / name).write_text("")
    foreign = {name for name in foreign if not is_instance_file(name)}
    for name in foreign:
        (mine / name).write_text("theirs")

    stays = Manager(paths).remove("chat")

    assert set(stays) == {str(mine / name) for name in foreign}
    assert (files(mine) if mine.exists() else set()) == foreign
    assert [path.name for path in mine.parent.iterdir()] == (["chat"] if foreign else [])
    assert Manager(paths).names() == []


def test_its_logs_are_deleted_where_they_are_though_the_setting_changed(ended: Manager, tmp_path: Path) -> None:
    before, now = tmp_path / "before" / "chat", tmp_path / "logs" / "chat"
    for folder in (before, now):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "0001-20260801T120000Z.log").write_text("x")
    spec = LaunchSpec("chat", "x", Mode.NATIVE, "native", ("x",), log_dir=str(tmp_path / "before"))
    write_value(ended.paths.spec("chat"), spec)

    ended.remove("chat")

    assert not before.exists()
    assert now.exists(), "another instance of that name may have it"


def test_a_folder_of_a_person_is_not_taken_for_logs(ended: Manager) -> None:
    work = Path(ended.paths.logs("chat"), "main.c")
    work.write_text("theirs")

    with pytest.raises(LaunchFailed) as caught:
        ended.start(LaunchSpec("chat", "x", Mode.NATIVE, "native", ("true",)), {})

    assert "'main.c'" in (caught.value.cause or "")
    assert "log_dir" in (caught.value.remedy or "")
    assert work.read_text() == "theirs"
