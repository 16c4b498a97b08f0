"""Real servers for real tests, and the promise that none is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import alive, eventually, supervisors_of
from required import missing

import las_jupyter


@pytest.fixture(scope="session")
def smollm2() -> str:
    """The path of the demo model; skips, or fails where it is required, when it cannot be had."""
    from las_jupyter.core.errors import LasError
    from las_jupyter.models.fetch import fetch
    from las_jupyter.models.reference import parse

    try:
        return str(fetch(parse("smollm2-135m")))
    except LasError as error:
        missing("llamacpp", f"the demo model cannot be fetched: {error.message}")
        raise


@pytest.fixture
def clean_end(own_folders: None) -> Iterator[None]:
    """Stop what the test left running; fail when a supervisor or a server of it is still alive after that."""
    import las_jupyter as las

    yield
    servers = [each.pid for each in las.status() if each.pid]
    las.stop(all=True)
    state_dir = os.environ["LAS_JUPYTER_STATE_DIR"]
    eventually(lambda: not supervisors_of(state_dir), "the supervisors ended")
    assert not [pid for pid in servers if alive(pid)]


@pytest.fixture
def built_panel() -> None:
    """The panel's script is there; skips, or fails where it is required, when nobody built it."""
    if not (Path(las_jupyter.__file__).parent / "widgets" / "static" / "panel.js").exists():
        missing("panel", "its script is not built; run make javascript")
