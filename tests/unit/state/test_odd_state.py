"""A pipe, a folder or a terabyte where a file of ours should be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from odd_files import ODD, within

from las_jupyter.core.snapshot import EventRecord, Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.resources.measured import Measured, read_measurements, record_measurement
from las_jupyter.runtime import kept_data
from las_jupyter.runtime.claims import PortClaims
from las_jupyter.runtime.manager import Manager
from las_jupyter.state import journal
from las_jupyter.state.files import LARGEST, make_folders, read_bytes, read_plain, read_value, write_value
from las_jupyter.state.lock import Lock, is_held
from las_jupyter.state.paths import StatePaths, make_private

GOOD = Snapshot("good", "fake", Mode.NATIVE, "native", ProcessState.STOPPED, "you stopped it")


@pytest.fixture(params=ODD, ids=lambda kind: str(kind).replace(" ", "_"))
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "thing"
    ODD[request.param](path)
    return path


def test_odd_state_is_damaged_state_and_kept_aside(odd: Path) -> None:
    with within(5):
        assert read_value(str(odd), Snapshot) is None

    assert not os.path.lexists(odd)
    assert [each.name.startswith("thing.corrupt-") for each in odd.parent.iterdir() if "thing" in each.name] == [True]


def test_reading_what_is_odd_is_an_error_at_once(odd: Path) -> None:
    for read in (lambda: read_bytes(str(odd)), lambda: read_plain(str(odd), 2**20)):
        with within(5), pytest.raises(OSError) as caught:
            read()
        assert caught.value.strerror


def test_an_odd_journal_has_no_records_or_its_last(odd: Path) -> None:
    with within(5):
        assert journal.replay(str(odd)) == ()


def test_an_odd_lock_is_held_by_nobody_and_taken_by_nobody_in_vain(odd: Path) -> None:
    with within(5):
        held = is_held(str(odd))
        try:
            taken = Lock(str(odd)).acquire()
        except OSError as error:
            taken = bool(error.strerror)

    assert not held
    assert taken


def test_odd_secrets_measurements_and_claims_are_none(odd: Path, tmp_path: Path) -> None:
    paths = StatePaths(str(tmp_path), str(tmp_path / "logs"))
    make_folders(paths.instance("good"))
    odd.rename(paths.secrets("good"))
    with within(5):
        assert kept_data.secrets(paths, "good") == {}
    Path(paths.secrets("good")).rename(tmp_path / "measured.json")
    with within(5):
        assert read_measurements(str(tmp_path)) == {}
        record_measurement(str(tmp_path), "key", Measured(1, 1.0))
    ODD["a pipe"](tmp_path / "ports.json")
    with within(5):
        assert PortClaims(paths).taken(but="") == {}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("file", ["state.json", "events.jsonl", "lock"])
def test_one_bad_instance_is_one_bad_row(tmp_path: Path, kind: str, file: str) -> None:
    paths = StatePaths(str(tmp_path / "state"), str(tmp_path / "logs"))
    for name in ("bad", "good"):
        make_private(paths.instance(name))
        write_value(paths.state(name), GOOD._replace(name=name))
        journal.append(
            paths.events(name), EventRecord(1.0, "StopRequested", "running", "stopping", "you stopped it", 1)
        )
    broken = Path(paths.instance("bad")) / file
    broken.unlink(missing_ok=True)
    ODD[kind](broken)

    with within(30):
        found = {each.name: each for each in Manager(paths).snapshots()}

    assert found["good"] == GOOD
    assert found["bad"].reason


def test_a_long_journal_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with path.open("wb") as file:
        file.truncate(4 * LARGEST)
    record = EventRecord(1.0, "Launched", "starting", "starting", "started", 1)
    journal.append(str(path), record)

    with within(5):
        assert journal.replay(str(path)) == (record,)


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    assert read_plain("/proc/self/status", 2**20).startswith(b"Name:")


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277, 0o777])
def test_every_folder_we_make_is_closed_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_private(str(tmp_path / "home" / "state" / "las"))
    finally:
        os.umask(before)

    made = [tmp_path / "home", tmp_path / "home" / "state", tmp_path / "home" / "state" / "las"]
    assert [oct(each.stat().st_mode & 0o7777) for each in made] == ["0o700"] * 3


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)

    make_folders(str(tmp_path / "old" / "new"))

    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_could_be_exchanged_is_no_place_for_state(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(Exception, match="not safe") as refused:
        make_private(str(tmp_path / "open" / "state"))

    assert f"chmod go-w {tmp_path / 'open'}" in str(getattr(refused.value, "remedy", ""))
