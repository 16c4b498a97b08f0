"""No process that holds a key leaves a core file with it, however the machine keeps cores."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_house import House, eventually

from las_jupyter.core.launch import LogRule, SecretUse
from las_jupyter.core.states import LogCapture

pytestmark = pytest.mark.native


@pytest.fixture
def cores_wanted() -> Iterator[None]:
    """A shell with ``ulimit -c unlimited``, as far as it may."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def soft_limit_of_cores(pid: int) -> str:
    rows = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(row.split()[4] for row in rows if row.startswith("Max core file size"))


def of_the_instance(house: House) -> dict[int, str]:
    """Every process of it by its name: supervisor, pump, module, workers."""
    pids = [pid for pid in house.processes() if pid != house.canary]
    return {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids}


@pytest.mark.parametrize("capture", [LogCapture.DIRECT, LogCapture.PUMP])
@pytest.mark.parametrize("word", ["start", "adopt"])
def test_no_process_of_an_instance_may_leave_a_core(
    house: House, cores_wanted: None, capture: LogCapture, word: str
) -> None:
    spec = house.spec("fork=2")._replace(logs=LogRule(capture=capture), secrets=(SecretUse("api_key", env="KEY"),))
    house.manager.start(spec, {"api_key": "k" * 40})
    house.manager.wait_ready("one", timeout=20)
    if word == "adopt":
        house.kill_supervisor()
        house.manager.snapshot("one")
    pump = capture is LogCapture.PUMP
    found = eventually(
        lambda: (all_ := of_the_instance(house)) and ("las-pump" in all_.values()) == pump and all_, "all are there"
    )

    assert len(found) >= 2 + pump
    assert {pid: soft_limit_of_cores(pid) for pid in found} == dict.fromkeys(found, "0"), found
    assert {int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16) for pid in found} == {0}
