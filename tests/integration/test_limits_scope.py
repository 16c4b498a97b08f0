"""
What we do with the scope that ``systemd-run`` makes. A program stands in for it that does what its manual says: makes a
group called like the unit, enters it and becomes the command. A real systemd is not part of these tests.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from required import missing

from las_jupyter.backends.native_limits import start_in_scope
from las_jupyter.backends.native_tree import children
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.launch import LaunchSpec, Limits
from las_jupyter.core.states import Mode
from las_jupyter.limits.cgroup import Place, places
from las_jupyter.limits.leaf import noted
from las_jupyter.limits.systemd import Manager

pytestmark = [pytest.mark.native, pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux")]
UNIT = "las-scoped-1-0a1b2c3d.scope"
STAND_IN = """#!/bin/sh
unit= limit=
while [ "$1" != -- ]; do
    case "$1" in --unit=*) unit=${1#--unit=};; MemoryMax=*) limit=${1#MemoryMax=};; esac
    shift
done
shift
mkdir "$PARENT/$unit" && echo "$limit" > "$PARENT/$unit/$LIMIT_FILE" && echo $$ > "$PARENT/$unit/cgroup.procs" || exit 1
exec "$@"
"""


@pytest.fixture
def place() -> Iterator[Place]:
    """Where a group with a memory limit can be made; the scope is taken away afterwards, as systemd does."""
    found = next((each for each in places(("memory",)) if "memory" in each.limits), None)
    if found is None:
        missing("control groups", "no group with a memory limit can be made by this user on this machine")
    yield found
    if Path(found.folder, UNIT).exists():
        Path(found.folder, UNIT).rmdir()


def files_in(folder: Path) -> StartFiles:
    return StartFiles(str(folder), "", os.open(folder / "log", os.O_WRONLY | os.O_CREAT), 1)


def stand_in(folder: Path, text: str) -> Manager:
    program = folder / "systemd-run"
    program.write_text(text)
    program.chmod(0o755)
    return Manager(str(program), False, ("memory",))


SPEC = LaunchSpec("scoped", "fake", Mode.NATIVE, "native", ("sleep", "60"), limits=Limits(memory=64 * 2**20))


def test_a_server_in_a_scope_keeps_its_number_and_its_limit_is_systemds(place: Place, tmp_path: Path) -> None:
    limit_file = "memory.max" if place.version == 2 else "memory.limit_in_bytes"
    env = {**os.environ, "PARENT": place.folder, "LIMIT_FILE": limit_file}

    started = start_in_scope(stand_in(tmp_path, STAND_IN), UNIT, ["sleep", "60"], env, SPEC, files_in(tmp_path))

    assert started
    assert Path(f"/proc/{started.pid}/comm").read_text() == "sleep\n"
    assert started.leaf.kept == {"memory": "systemd scope"}
    assert set(noted(str(tmp_path)).members()) == {started.pid}
    os.kill(started.pid, signal.SIGKILL)
    os.waitpid(started.pid, 0)
    assert started.leaf.remove()
    assert Path(place.folder, UNIT).exists(), "a scope is systemd's to remove"


def test_when_systemd_refuses_nothing_was_started(tmp_path: Path) -> None:
    refusing = "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n"
    before = children(os.getpid())

    started = start_in_scope(
        stand_in(tmp_path, refusing), UNIT, ["sleep", "60"], dict(os.environ), SPEC, files_in(tmp_path)
    )

    assert started is None
    assert (tmp_path / "log").read_text() == "Failed to connect to bus\n"
    assert children(os.getpid()) == before
