"""No moment at which a supervisor is killed leaves a server that nobody knows, nor loses what was to follow an end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest
from native_house import FAKE_SERVER, House, eventually, lives

from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import RestartRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import ProcessState, RestartPolicy
from las_jupyter.runtime.client import ask
from las_jupyter.state.files import read_value

pytestmark = pytest.mark.native


def killer_of_its_parent(house: House, *habits: str) -> tuple[str, ...]:
    script = f"kill -9 $PPID; exec {sys.executable} -I -S {FAKE_SERVER} {' '.join(habits)}"
    return ("/bin/sh", "-c", script)


@pytest.mark.parametrize("attempt", range(5))
def test_a_server_is_known_from_its_first_instruction_on(house: House, attempt: int) -> None:
    spec = house.spec()._replace(argv=killer_of_its_parent(house))
    with contextlib.suppress(LasError):  # the supervisor may have died before it could say anything
        house.manager.start(spec, {})

    snapshot = house.manager.wait_ready("one", timeout=10)

    assert lives(snapshot.pid)
    house.manager.stop("one")
    assert not [line for line in house.processes().values() if FAKE_SERVER in line]


@pytest.mark.parametrize("attempt", range(5))
def test_a_server_started_again_is_known_from_its_first_instruction_on(house: House, attempt: int) -> None:
    second = house.folder / "second"
    script = f"[ -e {second} ] || {{ touch {second}; sleep 0.2; exit 1; }}; {killer_of_its_parent(house)[2]}"
    rule = RestartRule(RestartPolicy.ON_FAILURE, first=0.1, factor=1.0, max_tries=1)
    house.manager.start(house.spec(restart=rule)._replace(argv=("/bin/sh", "-c", script)), {})
    eventually(lambda: [line for line in house.processes().values() if FAKE_SERVER in line], "it was started again")

    snapshot = house.manager.wait_ready("one", timeout=10)

    assert snapshot.generation == 2
    house.manager.stop("one")
    assert not [line for line in house.processes().values() if FAKE_SERVER in line]


def kill_both(house: House, first: Snapshot) -> None:
    """Supervisor and server die before anybody looks."""
    for pid in (first.supervisor_pid, first.pid):
        os.kill(pid or 0, signal.SIGKILL)
    eventually(lambda: not lives(first.pid) and not lives(first.supervisor_pid), "both are dead")


def test_a_restart_goes_on_though_supervisor_and_server_died_together(house: House) -> None:
    first = house.start("stop_takes=5")
    ask(house.paths.socket("one"), "restart")
    eventually(lambda: b"got a stop signal" in Path(first.log_path).read_bytes(), "the signal arrived")
    kill_both(house, first)

    assert house.manager.snapshot("one").state.alive
    assert house.manager.wait_ready("one", timeout=20).generation == 2


def test_an_exit_status_that_was_seen_is_not_forgotten_with_the_supervisor(house: House, tmp_path: Path) -> None:
    """The deaf worker keeps the supervisor busy after it saw the exit."""
    end = tmp_path / "end"
    first = house.start(f"after_file={end}:23", f"daemon={tmp_path / 'daemon'}", "deaf")
    end.touch()

    def seen() -> bool:
        found = read_value(house.paths.state("one"), Snapshot)
        return found is not None and found.exit is not None

    eventually(seen, "the exit is written down")
    os.kill(first.supervisor_pid or 0, signal.SIGKILL)
    eventually(lambda: not lives(first.supervisor_pid), "the supervisor is dead")

    ended = house.until(ProcessState.FAILED)

    assert ended.exit
    assert ended.exit.code == 23


def test_what_a_killed_supervisor_was_writing_is_taken_away_by_the_next(house: House) -> None:
    """The house looks at its end that nothing half-written is left."""
    house.start()
    dead = house.kill_supervisor()
    half = Path(f"{house.paths.state('one')}.{dead}.tmp")
    half.write_text('{"na')

    assert house.manager.snapshot("one").state is ProcessState.RUNNING
    assert not half.exists()
