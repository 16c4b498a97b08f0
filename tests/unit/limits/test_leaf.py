"""What a leaf notes of itself, and which forgotten ones are taken away."""

from __future__ import annotations

import os
from pathlib import Path

from las_jupyter.core.launch import Limits
from las_jupyter.limits import leaf
from las_jupyter.limits.cgroup import Place
from las_jupyter.limits.tree import boot_id

OLD = "las-llama-3-0a1b2c3d"


def test_a_note_of_another_boot_names_no_group(tmp_path: Path) -> None:
    (tmp_path / OLD).mkdir()
    (tmp_path / "cgroups").write_text(f"another-boot\n2\tmemory\t{tmp_path / OLD}\n")

    assert leaf.noted(str(tmp_path)).parts == ()


def test_a_note_leads_only_to_groups_called_like_ours(tmp_path: Path) -> None:
    for name in (OLD, "somebody"):
        (tmp_path / name).mkdir()
    rows = [f"2\tmemory\t{tmp_path / name}" for name in (OLD, "somebody", "las-gone-1-0a1b2c3d")]
    (tmp_path / "cgroups").write_text("\n".join([boot_id(), *rows, "torn"]))

    assert leaf.noted(str(tmp_path)).parts == (Place(str(tmp_path / OLD), 2, ("memory",)),)


def test_without_a_place_nothing_is_made_and_nothing_noted(tmp_path: Path) -> None:
    made = leaf.make(OLD, Limits(memory=1), (), str(tmp_path))

    assert (made.parts, made.kept, made.entrances, made.members(), made.killed()) == ((), {}, (), {}, None)
    assert not list(tmp_path.iterdir())


def test_a_limit_the_kernel_does_not_take_is_left_to_others(tmp_path: Path) -> None:
    """An ordinary folder has none of a group's files."""
    made = leaf.make(OLD, Limits(memory=1, pids=1), (Place(str(tmp_path), 1, ("memory", "pids")),), str(tmp_path))

    assert made.kept == {}
    assert not (tmp_path / OLD).exists()


def test_only_old_groups_called_like_ours_are_swept(tmp_path: Path) -> None:
    names = [OLD, "las-young-1-0a1b2c3d", "las-ci-12913", "las-x-1-toolong99", "system.slice"]
    for name in names:
        (tmp_path / name).mkdir()
        age = 0 if "young" in name else 3600
        os.utime(tmp_path / name, (tmp_path.stat().st_mtime - age,) * 2)

    leaf.sweep((Place(str(tmp_path), 2, ()), Place(str(tmp_path / "nowhere"), 2, ())))

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def group_of_version_2(folder: Path, name: str, *, killed: int, met: int = 0) -> Place:
    """A folder with the events a group of version 2 tells of."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "memory.events").write_text(f"low 0\nhigh 0\nmax 9\noom {met}\noom_kill {killed}\n")
    return Place(str(folder / name), 2, ("memory",))


def test_kills_for_memory_are_those_the_group_counts_and_its_limit_is_blamed_when_it_was_met(tmp_path: Path) -> None:
    assert leaf.Leaf([group_of_version_2(tmp_path, OLD, killed=2, met=1)]).killed() == leaf.Killed(2, at_limit=True)
    assert leaf.Leaf([group_of_version_2(tmp_path, OLD, killed=1)]).killed() == leaf.Killed(1, at_limit=False)


def test_when_systemd_took_a_scope_away_the_slice_around_it_tells(tmp_path: Path) -> None:
    group_of_version_2(tmp_path, ".", killed=3)
    scope = group_of_version_2(tmp_path, f"{OLD}.scope", killed=0)
    running = leaf.Leaf([scope])
    assert running.killed() == leaf.Killed(0, at_limit=False)

    group_of_version_2(tmp_path, ".", killed=4)
    (tmp_path / f"{OLD}.scope/memory.events").unlink()

    assert running.killed() == leaf.Killed(1, at_limit=True)


def test_a_group_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    for version in (1, 2):
        assert leaf.Leaf([Place(str(tmp_path / "gone"), version, ("memory",))]).killed() is None
