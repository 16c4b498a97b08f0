"""Files that are whole or not there, locks that live as long as their holder, a journal of which any prefix loads."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from las_jupyter.core.snapshot import EventRecord, Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.core.wire import to_json
from las_jupyter.state.files import edition, overwrite, read_value, write_atomic, write_value
from las_jupyter.state.journal import append, replay
from las_jupyter.state.lock import Lock, is_held
from las_jupyter.state.paths import StatePaths, make_private

SNAPSHOT = Snapshot("one", "fake", Mode.NATIVE, "native", ProcessState.RUNNING, "ready after 1 s")


def test_a_written_value_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "state.json"

    write_value(str(path), SNAPSHOT, sync=True)

    assert read_value(str(path), Snapshot) == SNAPSHOT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomic(str(path), b"old")

    with pytest.raises(TypeError):
        write_atomic(str(path), "no bytes")  # type: ignore[arg-type]

    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_write_never_follows_a_link_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "state.json").symlink_to(tmp_path / "elsewhere")

    write_atomic(str(tmp_path / "state.json"), b"new")

    assert (tmp_path / "elsewhere").read_text() == "precious"


def test_overwriting_in_place_leaves_nothing_of_a_longer_content(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"long content")

    overwrite(str(tmp_path / "f"), b"short")

    assert (tmp_path / "f").read_bytes() == b"short"


def test_an_edition_changes_with_every_replacement(tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    seen = {edition(path)}
    for _ in range(3):
        write_atomic(path, b"same")
        seen.add(edition(path))

    assert len(seen) == 4


def test_a_lock_is_free_as_soon_as_its_holder_is_dead(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from las_jupyter.state.lock import Lock\n"
        "lock = Lock(sys.argv[2]); lock.acquire(); print('held', flush=True); time.sleep(60)"
    )
    root = str(Path(__file__).parents[3])
    holder = subprocess.Popen([sys.executable, "-c", code, root, path], stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    assert is_held(path)
    assert not Lock(path).acquire()

    holder.kill()
    holder.wait()

    assert not is_held(path)
    assert Lock(path).acquire(wait=1)


def test_a_lock_on_a_deleted_file_is_known_to_guard_nothing_and_can_be_renewed(tmp_path: Path) -> None:
    lock = Lock(str(tmp_path / "lock"))
    lock.acquire()
    (tmp_path / "lock").unlink()
    assert not lock.still_ours()

    assert lock.renew()

    assert lock.still_ours()
    assert is_held(lock.path)
    lock.release()


def test_a_lock_taken_by_another_after_deletion_is_not_renewed(tmp_path: Path) -> None:
    mine, other = Lock(str(tmp_path / "lock")), Lock(str(tmp_path / "lock"))
    mine.acquire()
    (tmp_path / "lock").unlink()
    other.acquire()

    assert not mine.renew()

    other.release()
    mine.release()


def test_a_private_folder_is_refused_when_others_may_write_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    make_private(str(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    folder.chmod(0o772)
    with pytest.raises(Exception, match="not safe"):
        make_private(str(folder))


@pytest.mark.parametrize("name", ["..", "a/b", "", "A", "a" * 64, "-a", ".a", "a\n", "ä"])
def test_a_name_that_could_lead_elsewhere_is_no_name(name: str) -> None:
    with pytest.raises(Exception, match="cannot name an instance"):
        StatePaths("/s", "/s/logs").instance(name)


records = some.builds(
    EventRecord,
    at=some.floats(0, 1e10),
    event=some.text(max_size=8),
    before=some.text(max_size=8),
    after=some.text(max_size=8),
    reason=some.text(max_size=30),
    generation=some.integers(0, 9),
    data=some.dictionaries(some.text(max_size=4), some.text(max_size=8), max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(history=some.lists(records, max_size=8), cut=some.floats(0, 1), tail=some.binary(max_size=12))
def test_any_prefix_of_a_journal_loads_and_can_be_continued(
    tmp_path: Path, history: list[EventRecord], cut: float, tail: bytes
) -> None:
    path = tmp_path / "events.jsonl"
    path.unlink(missing_ok=True)
    whole = b"".join(to_json(record).encode() + b"\n" for record in history)
    kept = whole[: int(len(whole) * cut)]
    path.write_bytes(kept)

    loaded = replay(str(path))
    assert loaded == tuple(history[: len(loaded)])
    assert len(loaded) >= kept.count(b"\n")

    path.write_bytes(kept + tail.replace(b"\n", b""))
    last = EventRecord(1.0, "Launched", "starting", "starting", "started")
    append(str(path), last)
    assert replay(str(path))[-1] == last
    os.unlink(path)  # noqa: PTH108
