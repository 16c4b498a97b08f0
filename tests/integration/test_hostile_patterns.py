"""A supervisor whose spec was written before patterns were checked, and a module that writes the line they hang on."""

from __future__ import annotations

import time

import pytest
from native_house import House, eventually, house

from las_jupyter.core.errors import LaunchFailed, StartTimeout
from las_jupyter.core.launch import Failure, LogProbe, Phase, ReadyRule
from las_jupyter.core.states import ProcessState

__all__ = ["house"]

pytestmark = pytest.mark.native

HOSTILE = "a" * 60 + "!"
ENDLESS = "(a+)+$"


def test_it_is_stopped_although_its_ready_pattern_would_never_end(house: House) -> None:
    spec = house.spec(f"says={HOSTILE}", ready=ReadyRule(LogProbe(ENDLESS)), phases=(Phase("^a", "writing"),))
    house.manager.start(spec, {})
    eventually(lambda: house.manager.snapshot("one").health.phase == "writing", "the line was looked at")

    begun = time.monotonic()
    stopped = house.manager.stop("one", grace=0.5)

    assert stopped.state is ProcessState.STOPPED
    assert time.monotonic() - begun < 15


def test_its_stall_is_found_and_explained_although_no_pattern_would_end(house: House) -> None:
    spec = house.spec(
        f"says={HOSTILE}",
        ready=ReadyRule(LogProbe(ENDLESS), stall=1.0),
        phases=(Phase(ENDLESS, "never"), Phase("^a", "writing")),
        failures=(Failure(ENDLESS, "never", "never"),),
    )
    house.manager.start(spec, {})

    with pytest.raises((LaunchFailed, StartTimeout)) as caught:
        house.manager.wait_ready("one", timeout=30)

    assert "while writing" in str(caught.value.cause)
