"""The memory that is ours to use is the least that any control group above us allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from las_jupyter.resources.machine import _cgroup_limits, memory_available, memory_total

GIB = 2**30


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("membership", "files", "limits"),
    [
        ("0::/user.slice/me\n", {"user.slice/memory.max": f"{4 * GIB}\n", "user.slice/me/memory.max": "max\n"}, 4),
        ("0::/user.slice/me\n", {"user.slice/memory.max": f"{4 * GIB}", "user.slice/me/memory.max": f"{GIB}"}, 1),
        ("9:cpu:/\n4:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": f"{2 * GIB}"}, 2),
        ("0::/a/path/of/the/host\n", {"memory.max": f"{3 * GIB}"}, 3),
    ],
    ids=["a slice above us", "our own is less", "version 1", "inside a container"],
)
def test_the_least_limit_of_our_group_and_those_above_it_holds(tmp_path, membership, files, limits):
    own = tmp_path / "self"
    own.write_text(membership)

    assert min(_cgroup_limits(written(tmp_path / "cgroup", files), own)) == limits * GIB


@pytest.mark.parametrize("membership", ["", "nonsense", "0::/\n"])
def test_without_a_limit_there_is_none(tmp_path, membership):
    own = tmp_path / "self"
    own.write_text(membership)

    assert _cgroup_limits(tmp_path / "cgroup", own) == []


def test_a_machine_has_no_more_memory_free_than_it_has():
    assert 0 < memory_available() <= memory_total()
