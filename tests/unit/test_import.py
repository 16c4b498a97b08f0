"""Importing the package is cheap: what only some verbs need is imported by these verbs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("docker", "ipywidgets", "anywidget", "pydantic", "IPython", "psutil", "pynvml", "asyncio", "numpy", "yaml")


@pytest.mark.parametrize("name", HEAVY)
def test_importing_the_package_imports_nothing_heavy(name: str, loaded: set[str]):
    assert name not in loaded


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    code = "import sys; before = set(sys.modules); import las_jupyter; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "las_jupyter" in found
    return found
