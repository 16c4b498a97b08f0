"""Whose hands a file went through: the rule on values, and what it is told of a real disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from las_jupyter.state import custody
from las_jupyter.state.custody import Hands, Step, fault_of, judge, read_judged, steps_to

ME, MALLORY, OWN_GROUP, TEAM = 1000, 1001, 1000, 50
HANDS = Hands(ME, OWN_GROUP, frozenset({OWN_GROUP}))
FOLDER, FILE, LINK = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK


def way(*steps: tuple[int, int, int]) -> tuple[Step, ...]:
    return tuple(Step(f"/{'x' * number}", *step) for number, step in enumerate(steps))


@pytest.mark.parametrize(
    ("what", "steps"),
    [
        ("of a home that is closed", way((ME, OWN_GROUP, FOLDER | 0o700), (ME, OWN_GROUP, FILE | 0o600))),
        ("where new files are 664", way((ME, OWN_GROUP, FOLDER | 0o775), (ME, OWN_GROUP, FILE | 0o664))),
        ("of the system", way((0, 0, FOLDER | 0o755), (0, 0, FILE | 0o644))),
        ("below /tmp", way((0, 0, FOLDER | 0o1777), (ME, OWN_GROUP, FOLDER | 0o755), (ME, OWN_GROUP, FILE | 0o644))),
        ("through a link of ours", way((ME, ME, FOLDER | 0o700), (ME, ME, LINK | 0o777), (ME, ME, FILE | 0o600))),
        ("of root's group", way((0, 0, FOLDER | 0o775), (ME, 0, FILE | 0o664))),
    ],
)
def test_a_file_out_of_the_reach_of_others_is_believed(what: str, steps: tuple[Step, ...]) -> None:
    assert judge(steps, HANDS) is None


@pytest.mark.parametrize(
    ("what", "steps"),
    [
        ("another's file", way((ME, ME, FOLDER | 0o700), (MALLORY, MALLORY, FILE | 0o600))),
        ("another's folder", way((MALLORY, MALLORY, FOLDER | 0o755), (ME, ME, FILE | 0o600))),
        ("another's link", way((0, 0, FOLDER | 0o1777), (MALLORY, MALLORY, LINK | 0o777), (ME, ME, FILE | 0o600))),
        ("a file for everybody", way((ME, ME, FOLDER | 0o700), (ME, ME, FILE | 0o666))),
        ("a folder for everybody", way((ME, ME, FOLDER | 0o777), (ME, ME, FILE | 0o600))),
        ("a team's folder", way((ME, TEAM, FOLDER | 0o2775), (ME, TEAM, FILE | 0o640))),
        ("a folder like /tmp itself", way((0, 0, FOLDER | 0o755), (0, 0, FOLDER | 0o1777))),
        ("a sticky file", way((0, 0, FOLDER | 0o755), (ME, ME, FILE | 0o1666))),
        ("a list of people", (Step("/a", ME, OWN_GROUP, FOLDER | 0o770, listed=True),)),
    ],
)
def test_a_file_that_others_can_write_or_replace_is_not(what: str, steps: tuple[Step, ...]) -> None:
    assert judge(steps, HANDS) is not None


def test_where_containers_run_us_under_any_number_the_folders_of_group_0_are_ours() -> None:
    openshift = way((1000, 0, FOLDER | 0o775), (1_000_670_000, 0, FILE | 0o664))

    assert judge(openshift, Hands(1_000_670_000, 0)) is None
    assert judge(openshift, Hands(1_000_670_000, 1_000_670_000)) is not None


def test_root_does_not_believe_a_file_for_being_in_its_group() -> None:
    assert judge(way((0, 0, FOLDER | 0o755), (MALLORY, 0, FILE | 0o644)), Hands(0, 0)) is not None


@pytest.mark.parametrize(
    ("step", "remedy"),
    [
        ((ME, TEAM, FOLDER | 0o775), "chmod g-w '/a b'"),
        ((ME, TEAM, FOLDER | 0o777), "chmod go-w '/a b'"),
        ((0, TEAM, FOLDER | 0o775), "sudo chmod g-w '/a b'"),
    ],
)
def test_the_cure_can_be_copied(step: tuple[int, int, int], remedy: str) -> None:
    fault = judge((Step("/a b", *step),), HANDS)

    assert fault is not None
    assert fault.remedy == remedy


OWNERS = some.sampled_from([0, ME, MALLORY])
GROUPS = some.sampled_from([0, OWN_GROUP, TEAM, MALLORY])
MODES = some.integers(0, 0o7777)
KINDS = some.sampled_from([FOLDER, FILE, LINK])
ANY_STEP = some.builds(
    lambda u, g, m, k, li: Step("/x", u, g, m | k, li), OWNERS, GROUPS, MODES, KINDS, some.booleans()
)


def could_change(step: Step, who: int, *, last: bool) -> bool:
    """Written anew from what the kernel allows, not from the rule: may ``who`` put something else in its place?"""
    if step.uid == who:
        return True
    if stat.S_ISLNK(step.mode):
        return False
    if stat.S_ISDIR(step.mode) and step.mode & stat.S_ISVTX and not last:
        return False
    return bool(step.mode & 0o002) or (bool(step.mode & 0o020) and (step.gid in (TEAM, MALLORY) or step.listed))


@given(some.lists(ANY_STEP, min_size=1, max_size=6))
def test_whatever_is_believed_nobody_else_could_have_written(steps: list[Step]) -> None:
    open_to_others = any(
        could_change(step, MALLORY, last=number == len(steps) - 1) for number, step in enumerate(steps)
    )

    assert (judge(tuple(steps), HANDS) is not None) == open_to_others


@given(some.lists(ANY_STEP, min_size=1, max_size=4))
def test_every_fault_names_a_step_and_one_line_to_copy(steps: list[Step]) -> None:
    fault = judge(tuple(steps), HANDS)

    assert fault is None or ("\n" not in fault.remedy and fault.path == "/x" and fault.why)


# ---- a real disk


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    place.mkdir(mode=0o755)
    monkeypatch.setenv("HOME", str(place))
    return place


def test_what_is_not_there_has_no_fault(home: Path) -> None:
    assert fault_of(str(home / "no" / "such")) is None


def test_who_owns_what_is_above_our_home_is_not_asked(home: Path) -> None:
    home.parent.chmod(0o777)
    (home / "f").touch(0o600)

    assert fault_of(str(home / "f")) is None
    assert [step.path for step in steps_to(str(home / "f"))] == [str(home), str(home / "f")]


def test_outside_of_our_home_every_folder_up_to_the_root_counts(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "f").touch(0o600)
    tmp_path.chmod(0o777)

    fault = fault_of(str(other / "f"))

    assert fault is not None
    assert (fault.path, fault.remedy) == (str(tmp_path), f"chmod go-w {tmp_path}")


def test_a_dotfile_that_is_a_link_is_judged_where_it_lies_and_where_it_leads(home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "las.toml").touch(0o600)
    (home / "config").mkdir()
    (home / "config" / "las.toml").symlink_to("../dotfiles/las.toml")
    path = str(home / "config" / "las.toml")
    assert fault_of(path) is None

    (home / "config").chmod(0o777)
    assert (fault_of(path) or custody.Fault("", "", "")).path == str(home / "config")

    (home / "config").chmod(0o755)
    (home / "dotfiles").chmod(0o777)
    assert (fault_of(path) or custody.Fault("", "", "")).path == str(home / "dotfiles")


def test_a_circle_of_links_is_a_fault_and_no_error(home: Path) -> None:
    (home / "a").symlink_to("b")
    (home / "b").symlink_to("a")

    assert fault_of(str(home / "a")) is not None


def test_two_dots_behind_a_link_lead_where_the_kernel_goes(home: Path) -> None:
    (home / "one" / "two").mkdir(parents=True)
    (home / "one" / "f").touch(0o600)
    (home / "link").symlink_to("one/two")

    assert steps_to(str(home / "link" / ".." / "f"))[-1].path == str(home / "one" / "f")


def test_a_group_with_somebody_else_in_it_is_not_ours_alone() -> None:
    import grp

    crowded = next((each.gr_gid for each in grp.getgrall() if set(each.gr_mem) - {"root"}), None)

    assert not custody.is_alone(2**31 - 7)
    assert crowded is None or not custody.is_alone(crowded)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_another_user_is_found_on_the_disk(home: Path) -> None:
    (home / "f").touch(0o600)
    os.chown(home / "f", 4711, 4711)

    fault = fault_of(str(home / "f"))

    assert fault is not None
    assert (fault.why, fault.remedy) == ("it belongs to user 4711", f"chown -h 0 {home / 'f'}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_the_file_that_is_judged_is_the_one_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, ours = tmp_path / "las.toml", tmp_path / "ours"
    path.write_text("theirs")
    os.chown(path, MALLORY, MALLORY)
    ours.write_text("ours")
    look = custody.steps_to

    def exchanged(wanted: str, *, follow: bool = True) -> tuple[Step, ...]:
        ours.replace(path)  # somebody else's was opened, and one of ours stands there when it is looked at
        return look(wanted, follow=follow)

    monkeypatch.setattr(custody, "steps_to", exchanged)

    data, fault = read_judged(str(path), 100)

    assert data == b"theirs"
    assert fault is not None and fault.why == f"it belongs to user {MALLORY}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_root_is_not_told_to_take_a_home_away_from_its_person(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "f").touch(0o600)
    os.chown(home, MALLORY, MALLORY)

    fault = fault_of(str(home / "f"))

    assert fault is not None and fault.remedy == f"ls -ld {home}"


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_nobody_is_told_to_close_a_device(path: str) -> None:
    fault = fault_of(path)

    assert fault is not None and fault.remedy == f"ls -ld {path}"


def test_on_path_are_no_folders_that_anybody_may_write_to_or_exchange(tmp_path: Path) -> None:
    for name, mode in (("open", 0o777), ("sticky", 0o1777), ("closed", 0o755)):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to("open")
    wanted = ["open", "open/bin", "sticky", "sticky/bin", "closed", "link", "missing"]

    found = custody.closed_path(os.pathsep.join(["", ".", "bin", *(str(tmp_path / name) for name in wanted)]))

    assert found.split(os.pathsep) == [str(tmp_path / name) for name in ("sticky/bin", "closed")]
