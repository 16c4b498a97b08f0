"""Real servers for real tests, and the promise that none is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing


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
    """Stop what the test left running; fail when a process of its state folder is still alive after that."""
    import las_jupyter as las

    yield
    las.stop(all=True)
    deadline = time.monotonic() + 10
    while (left := processes_of(os.environ["LAS_JUPYTER_STATE_DIR"])) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def processes_of(state_dir: str) -> dict[int, str]:
    """Every process, ours or a module's, that has ``state_dir`` on its command line or in its environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                if state_dir.encode() in line or _names(entry, state_dir):
                    found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
    return found


def _names(process: Path, state_dir: str) -> bool:
    """A module carries its instance in its environment; a test's own children carry the state folder's variable."""
    environment = (process / "environ").read_bytes().split(b"\0")
    tags = [each for each in environment if each.startswith(b"LAS_INSTANCE") or each.startswith(b"LAS_JUPYTER_INSTANCE")]
    return any(state_dir.encode() in tag for tag in tags)
