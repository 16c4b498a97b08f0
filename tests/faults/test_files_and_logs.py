"""Damaged, deleted and full: files of ours and the log. Numbers are rows of the fault catalogue."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import mounted
from native_house import House, eventually, lives

from las_jupyter.core.errors import LasError, LaunchFailed
from las_jupyter.core.launch import LogRule
from las_jupyter.core.states import ProcessState
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.files import move_aside
from las_jupyter.state.paths import StatePaths, UnsafeFolder

pytestmark = pytest.mark.native

GARBAGE = {
    "empty": b"",
    "half": b'{"name":"one","module":"fa',
    "zeros": b"\0" * 512,
    "another shape": b"[1, 2]",
    "wrong types": b'{"name": 7}',
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("damage", GARBAGE, ids=list(GARBAGE))
def test_34_a_damaged_state_of_a_running_instance_is_asked_of_its_supervisor(house: House, damage: str) -> None:
    before = house.start(served=True)
    path = Path(house.paths.state("one"))
    path.write_bytes(GARBAGE[damage])

    seen = house.manager.snapshot("one")

    assert (seen.state, seen.pid) == (ProcessState.RUNNING, before.pid)
    assert list(path.parent.glob("state.json.corrupt-*"))
    assert house.manager.start(house.manager.spec("one"), {}).reused


@pytest.mark.parametrize("damage", GARBAGE, ids=list(GARBAGE))
def test_34_a_damaged_state_without_a_supervisor_is_rebuilt_and_the_server_kept(house: House, damage: str) -> None:
    before = house.start(served=True)
    house.kill_supervisor()
    Path(house.paths.state("one")).write_bytes(GARBAGE[damage])

    seen = house.manager.snapshot("one")

    assert (seen.state, seen.pid, seen.log_path) == (ProcessState.RUNNING, before.pid, before.log_path)
    assert lives(before.pid)


def test_34_a_damaged_journal_loses_only_its_damaged_lines(house: House) -> None:
    house.start()
    path = Path(house.paths.events("one"))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at": 1, "ev')

    house.manager.stop("one")

    told = [event.event for event in house.manager.events("one")]
    assert told[:3] == ["start requested", "Launched", "BecameReady"]
    assert told[-1] == "NothingLeft"


def test_34_a_damaged_spec_is_kept_aside_and_nothing_second_is_started(house: House) -> None:
    before = house.start()
    spec = house.manager.spec("one")
    Path(house.paths.spec("one")).write_bytes(b"{")

    with pytest.raises(LasError):
        house.manager.spec("one")

    assert house.manager.start(spec, {}).reused
    assert house.manager.snapshot("one").pid == before.pid


def test_35_a_deleted_state_folder_is_made_again_and_the_server_kept(house: House) -> None:
    before = house.start(served=True)
    shutil.rmtree(house.paths.instance("one"))

    seen = eventually(lambda: "one" in house.manager.names() and house.manager.snapshot("one"), "it is back", 12)

    assert seen.pid == before.pid
    assert any("deleted and made again" in warning for warning in seen.warnings)
    assert house.manager.stop("one").state is ProcessState.STOPPED
    assert not lives(before.pid)


def test_36_a_deleted_log_is_said_so_and_can_still_be_read(house: House) -> None:
    snapshot = house.start("says=before")
    Path(snapshot.log_path).unlink()

    seen = eventually(lambda: (found := house.manager.snapshot("one")).warnings and found, "the warning", within=8)

    assert f"/proc/{snapshot.pid}/fd/1" in seen.warnings[0]
    assert Path(f"/proc/{snapshot.pid}/fd/1").read_bytes().startswith(b"before\n")
    assert lives(snapshot.pid)


def test_35_after_a_lost_state_a_number_means_its_newest_start(house: House) -> None:
    house.start("says=before")
    house.manager.stop("one")
    eventually(lambda: not house.processes(), "its supervisor ended")
    shutil.rmtree(house.paths.instance("one"))

    snapshot = house.start("says=after")

    assert house.manager.log("one", snapshot.generation).path == snapshot.log_path
    assert "after" in house.manager.log("one", 1).tail()


def test_37_a_deleted_log_folder_is_no_trouble_for_the_next_start(house: House) -> None:
    house.start()
    shutil.rmtree(house.paths.logs("one"))

    house.manager.restart("one")
    house.manager.wait_ready("one", timeout=10)

    assert house.log() == b"up\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KB."""
    with mounted(tmp_path / "small", "tmpfs", "size=600k,mode=700") as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Use up what is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def test_38_a_full_disk_neither_ends_nor_blocks_a_server_and_logging_goes_on(small_disk: Path, house: House) -> None:
    house.manager = Manager(StatePaths(house.paths.state_dir, str(small_disk)))
    house.paths = house.manager.paths
    snapshot = house.start("daemon_writes=yes", "daemon=" + str(house.folder / "daemon"))
    ballast = fill(small_disk)
    assert lives(snapshot.pid)
    ballast.unlink()
    size = Path(snapshot.log_path).stat().st_size

    house.manager.stop("one")

    assert Path(snapshot.log_path).stat().st_size >= size
    assert b"got a stop signal" in house.log()


def test_39_an_exit_on_a_full_disk_is_told_and_written_when_there_is_room(small_disk: Path, house: House) -> None:
    state = small_disk / "state"
    house.manager = Manager(StatePaths(str(state), str(house.folder / "logs")))
    house.paths = house.manager.paths
    end = house.folder / "end"
    house.start(f"after_file={end}:9")
    ballast = fill(small_disk)
    end.touch()

    ended = eventually(
        lambda: (found := house.manager.snapshot("one")).exit and not found.state.alive and found, "its end is told"
    )
    assert ended.exit
    assert ended.exit.code == 9
    ballast.unlink()
    eventually(lambda: not house.processes(), "the supervisor wrote it down and ended", within=10)
    again = house.manager.snapshot("one")
    assert again.exit == ended.exit
    assert house.manager.events("one")[-1].after == ProcessState.FAILED


def test_39_a_start_on_a_full_disk_is_refused_cleanly(small_disk: Path, house: House) -> None:
    house.manager = Manager(StatePaths(str(small_disk / "state"), str(small_disk / "logs")))
    house.paths = house.manager.paths
    house.start(name="other")
    house.manager.stop("other")
    ballast = fill(small_disk)

    with pytest.raises(LaunchFailed) as caught:
        house.manager.start(house.spec(), {})

    assert "No space left" in str(caught.value.cause)
    assert "one" not in house.manager.names()
    ballast.unlink()
    assert house.start().state is ProcessState.RUNNING


def test_40_a_log_folder_that_cannot_be_written_fails_the_start_with_its_path(house: House, tmp_path: Path) -> None:
    blocked = tmp_path / "logs"
    blocked.write_text("a file where a folder should be")
    house.manager = Manager(StatePaths(house.paths.state_dir, str(blocked)))

    with pytest.raises(LaunchFailed) as caught:
        house.manager.start(house.spec(), {})

    assert str(blocked) in str(caught.value.cause)


def test_41_a_flood_costs_the_supervisor_nothing(house: House) -> None:
    before = house.start("flood=120000000")

    found = Path(f"/proc/{before.supervisor_pid}/status").read_text()

    rss = next(int(line.split()[1]) for line in found.splitlines() if line.startswith("VmHWM"))
    assert rss < 30_000
    data = house.log()
    assert data.count(b"\n") == 1_200_001
    assert data.startswith(b"x" * 90 + b" 00000000\n")


def test_41_a_flood_longer_than_its_disk_is_kept_within_its_bound(tmp_path: Path, house: House) -> None:
    with mounted(tmp_path / "disk", "tmpfs", "size=256m,mode=700") as disk:
        house.manager = Manager(StatePaths(house.paths.state_dir, str(disk)))
        house.paths = house.manager.paths

        snapshot = house.start("flood=400000000", logs=LogRule(start_bytes=16 * 2**20))

        log = house.manager.log("one")
        assert log.size == 400_000_003
        assert log.tail(2) == ["x" * 90 + " 03999999", "up"]
        eventually(lambda: Path(snapshot.log_path).stat().st_blocks * 512 <= 17 * 2**20, "it is trimmed")
        house.manager.stop("one")


def test_43_bytes_are_kept_as_they_were_written(house: House) -> None:
    raw = bytes(range(256)) * 4 + b"\x1b[31mred\x1b[0m\x1b]0;title\x07\xc3"
    house.start(f"raw={raw.hex()}", "quiet", ready=house.spec().ready._replace(probe=None))

    eventually(lambda: house.log() == raw, "every byte is there")


def test_45_last_words_are_in_the_log_before_the_end_is_told(house: House) -> None:
    for _ in range(10):
        house.manager.start(house.spec("last_words"), {})
        house.until(ProcessState.FAILED)
        data = house.log()
        assert len(data) == 60_000 + len(b"\nlast line\n")
        assert data.endswith(b"\nlast line\n")


def test_63_a_state_folder_others_may_write_is_refused(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)

    with pytest.raises(UnsafeFolder) as caught:
        Manager(StatePaths(str(folder), str(folder / "logs"))).start(house.spec(), {})

    assert "chmod 700" in str(caught.value.remedy)


def test_63_a_state_folder_that_is_a_link_is_refused(house: House, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(UnsafeFolder):
        Manager(StatePaths(str(tmp_path / "link"), str(tmp_path / "logs"))).start(house.spec(), {})


@pytest.mark.parametrize("name", ["../one", "a/b", "", ".hidden", "UPPER", "x" * 64, "a b", "-x", "é"])
def test_63_a_name_cannot_lead_out_of_the_state_folder(house: House, name: str) -> None:
    with pytest.raises(LasError):
        house.manager.start(house.spec(name=name), {})

    assert not house.processes()


def test_a_long_state_path_still_gets_a_control_socket_in_its_own_folder(house: House, tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    house.manager = Manager(StatePaths(str(folder), str(folder / "logs")))
    house.paths = house.manager.paths

    house.start()

    assert house.manager.usage("one")
    assert stat.S_ISSOCK((folder / "instances" / "one" / "control.sock").lstat().st_mode)


def test_removing_forgets_an_ended_instance_and_never_a_running_one(house: House) -> None:
    house.start()
    with pytest.raises(LasError):
        house.manager.remove("one")
    house.manager.stop("one")

    house.manager.remove("one")

    assert house.manager.snapshots() == ()
    assert not Path(house.paths.logs("one")).exists()


def test_a_damaged_file_is_moved_aside_and_never_deleted(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        (tmp_path / "state.json").write_bytes(content)
        move_aside(str(tmp_path / "state.json"))

    kept = sorted(each.read_bytes() for each in tmp_path.iterdir())
    assert kept == [b"first", b"second"]


def test_64_starting_and_stopping_many_times_leaves_nothing_behind(house: House) -> None:
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(8):
        for name in ("one", "two"):
            house.start(name=name)
        for name in ("one", "two"):
            house.manager.stop(name)

    assert len(list(Path("/proc/self/fd").iterdir())) <= opened + 1
    eventually(lambda: not house.processes(), "nothing is left")
    began = time.monotonic()
    assert len(house.manager.snapshots()) == 2
    assert time.monotonic() - began < 0.1
