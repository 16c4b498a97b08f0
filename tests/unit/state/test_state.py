"""Files that no crash leaves half of, locks that live as long as their owner, names that lead nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import BadRequest
from las_jupyter.core.launch import Port
from las_jupyter.core.snapshot import EventRecord
from las_jupyter.core.wire import to_json
from las_jupyter.state import journal
from las_jupyter.state.files import read_value, write_atomic, write_value
from las_jupyter.state.lock import Lock, is_held
from las_jupyter.state.paths import StatePaths, UnsafeFolder, check_name, default_paths, make_private

RECORD = EventRecord(1.0, "Launched", "starting", "starting", "started", 1)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "A", "a b", "-a", "ä", "a" * 64, "a\n"])
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(BadRequest) as refused:
        check_name(name)

    assert (refused.value.remedy or "").startswith("--name ")


def test_a_refused_name_comes_with_one_that_works():
    with pytest.raises(BadRequest) as refused:
        check_name("My Chat/1")

    assert check_name((refused.value.remedy or "").removeprefix("--name ")) == "my-chat-1"


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)

    with pytest.raises(UnsafeFolder):
        make_private(str(open_to_all))


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(UnsafeFolder):
        make_private(str(tmp_path / "link"))


def test_the_state_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAS_JUPYTER_STATE_DIR", str(tmp_path / "new"))

    assert Path(default_paths().state_dir).stat().st_mode & 0o777 == 0o700


def test_a_socket_path_is_short_enough_for_every_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = StatePaths("/" + "d" * 120, "/logs")

    assert len(deep.socket("chat")) < 104 + len(str(tmp_path))
    assert deep.socket("chat") != deep.socket("other")


def test_what_was_written_is_read_and_only_its_owner_may(tmp_path: Path):
    path = str(tmp_path / "x.json")
    write_value(path, Port("http", 1, 2))

    assert read_value(path, Port) == Port("http", 1, 2)
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path):
    path = str(tmp_path / "x")
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "no bytes")  # type: ignore[arg-type]

    assert Path(path).read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"name": 3}', b"\xff\x00", b"[" * 5000])
def test_a_damaged_file_is_moved_aside_and_not_deleted(tmp_path: Path, damage: bytes):
    path = tmp_path / "x.json"
    path.write_bytes(damage)

    assert read_value(str(path), Port) is None
    kept = [each for each in tmp_path.iterdir() if ".corrupt-" in each.name]
    assert [each.read_bytes() for each in kept] == [damage]


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path):
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "x.json").symlink_to(tmp_path / "secret")

    assert read_value(str(tmp_path / "x.json"), Port) is None
    assert (tmp_path / "secret").read_text() == "{}"


def test_a_lock_is_held_by_one_and_seen_by_all(tmp_path: Path):
    path = str(tmp_path / "lock")
    first, second = Lock(path), Lock(path)

    assert first.acquire()
    assert is_held(path)
    assert not second.acquire(wait=0.05)
    first.release()
    assert not is_held(path)


def test_a_lock_of_a_killed_process_is_free_at_once(tmp_path: Path):
    path = str(tmp_path / "lock")
    code = f"from las_jupyter.state.lock import Lock; l = Lock({path!r}); print(l.acquire(), flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    assert is_held(path)
    holder.kill()
    holder.communicate()

    assert Lock(path).acquire(wait=1.0)


def test_a_lock_file_that_was_deleted_is_noticed(tmp_path: Path):
    path = tmp_path / "lock"
    lock = Lock(str(path))
    assert lock.acquire()
    path.unlink()

    assert not lock.still_ours()
    assert Lock(str(path)).acquire()


@given(st.lists(st.text(max_size=20), max_size=5), st.integers(min_value=0, max_value=2000))
def test_any_prefix_of_a_journal_loads(tmp_path_factory: pytest.TempPathFactory, reasons: list[str], cut: int):
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    records = [RECORD._replace(reason=reason) for reason in reasons]
    for record in records:
        journal.append(str(path), record)
    if path.exists():
        path.write_bytes(path.read_bytes()[:cut])

    found = journal.replay(str(path))
    assert list(found) == records[: len(found)]


def test_a_torn_last_line_does_not_swallow_the_next(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text(to_json(RECORD) + "\n" + to_json(RECORD)[:20])
    journal.append(str(path), RECORD._replace(reason="after"))

    assert [each.reason for each in journal.replay(str(path))] == ["started", "after"]
