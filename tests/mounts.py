"""File systems of a test's own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder: Path, kind: str, options: str = "mode=700") -> Iterator[Path]:
    """One of that kind at ``folder``: ``tmpfs`` takes a ``size`` among its options, ``ramfs`` has no holes."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", kind, "-o", options, kind, folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("native: mounting a small disk needs root")
    try:
        folder.chmod(0o700)
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
