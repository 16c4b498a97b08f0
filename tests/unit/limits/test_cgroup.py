"""Where a control group may be made, and who keeps a limit where none may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from las_jupyter.limits.cgroup import Mount, Place, folder_of, memberships, mounts, place_in

HYBRID = """\
28 1 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 28 0:28 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
32 28 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 28 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
"""


def test_hierarchies_are_read_with_what_is_seen_of_them() -> None:
    found = mounts(HYBRID)

    assert [(mount.version, mount.point) for mount in found] == [
        (1, "/sys/fs/cgroup/memory"),
        (1, "/sys/fs/cgroup/cpu,cpuacct"),
        (2, "/sys/fs/cgroup/unified"),
    ]
    assert folder_of(found[1], "/docker/abc/x") == "/sys/fs/cgroup/cpu,cpuacct/x"
    assert folder_of(found[1], "/docker/abcd") is None
    assert folder_of(found[2], "/../outside") is None
    assert folder_of(found[2], "/") == "/sys/fs/cgroup/unified"


def test_memberships_are_known_by_controller() -> None:
    found = memberships("4:memory:/a\n2:cpu,cpuacct:/b:c\n1:name=systemd:/d\n0::/e\n")

    assert found == {"memory": "/a", "cpu": "/b:c", "cpuacct": "/b:c", "name=systemd": "/d", "": "/e"}


def unified(folder: Path, **given: str) -> Mount:
    """A tree of version 2 in which each group, ``a__b`` for ``a/b``, gives these controllers to those below it."""
    for name, controllers in {"": "", **given}.items():
        group = folder / name.replace("__", "/").replace("_dot_", ".").replace("_at_", "@")
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").touch()
        (group / "cgroup.subtree_control").write_text(controllers)
    return Mount("/", str(folder), 2, ("rw",))


def test_beside_our_own_scope_is_the_slice_that_gives_controllers(tmp_path: Path) -> None:
    mount = unified(tmp_path, app_dot_slice="memory pids", app_dot_slice__one_dot_scope="")

    found = place_in(mount, {"": "/app.slice/one.scope"}, ("memory", "cpus"))

    assert found == Place(f"{tmp_path}/app.slice", 2, ("memory",))


def test_what_runs_in_a_service_stays_in_it(tmp_path: Path) -> None:
    mount = unified(tmp_path, app_dot_slice="memory pids", app_dot_slice__lab_dot_service="")

    found = place_in(mount, {"": "/app.slice/lab.service"}, ("memory",))

    assert found == Place(f"{tmp_path}/app.slice/lab.service", 2, ())


@pytest.mark.parametrize(("name", "value"), [("memory.max", "1073741824\n"), ("cpu.max", "50000 100000\n")])
def test_a_limit_put_upon_us_is_not_left(tmp_path: Path, name: str, value: str) -> None:
    mount = unified(tmp_path, app_dot_slice="memory", app_dot_slice__one_dot_scope="")
    (tmp_path / "app.slice/one.scope" / name).write_text(value)

    found = place_in(mount, {"": "/app.slice/one.scope"}, ("memory",))

    assert found == Place(f"{tmp_path}/app.slice/one.scope", 2, ())


def test_no_limit_put_upon_us_is_no_bound(tmp_path: Path) -> None:
    mount = unified(tmp_path, app_dot_slice="memory", app_dot_slice__one_dot_scope="")
    (tmp_path / "app.slice/one.scope/memory.max").write_text("max\n")
    (tmp_path / "app.slice/one.scope/cpu.max").write_text("max 100000\n")

    found = place_in(mount, {"": "/app.slice/one.scope"}, ("memory",))

    assert found == Place(f"{tmp_path}/app.slice", 2, ("memory",))


def test_where_nothing_can_be_written_there_is_no_place(tmp_path: Path) -> None:
    assert place_in(Mount("/", str(tmp_path / "none"), 2, ()), {"": "/"}, ("memory",)) is None
    assert place_in(Mount("/", str(tmp_path / "none"), 1, ("memory",)), {"memory": "/"}, ("memory",)) is None


def test_a_hierarchy_of_version_1_keeps_its_own_limit_below_our_own_group(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/cgroup.procs").touch()
    mount = Mount("/", str(tmp_path), 1, ("rw", "cpu", "cpuacct"))

    assert place_in(mount, {"cpu": "/mine", "cpuacct": "/mine"}, ("memory", "cpus")) == Place(
        f"{tmp_path}/mine", 1, ("cpus",)
    )
    assert place_in(mount, {"cpu": "/mine"}, ("memory",)) is None
