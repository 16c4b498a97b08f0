"""Binder's files, followed as Binder follows them: in a clean environment, from what git knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"


def test_the_build_script_can_be_run_and_stops_at_the_first_failure():
    script = BINDER / "postBuild"

    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script.read_text()


def test_the_image_has_a_python_this_package_accepts():
    name, _, version = BINDER.joinpath("runtime.txt").read_text().strip().partition("-")

    assert name == "python"
    assert tuple(map(int, version.split("."))) >= (3, 11)


def test_the_badge_opens_the_quickstart():
    text = BINDER.joinpath("README.md").read_text()

    assert "urlpath=lab/tree/notebooks/01_quickstart.ipynb" in text
    assert (ROOT / "notebooks" / "01_quickstart.ipynb").is_file()


@pytest.mark.slow
@pytest.mark.llamacpp
def test_a_clean_environment_built_by_its_files_runs_the_quickstart(tmp_path):
    """Minutes on a small machine: it installs everything, builds the panel and asks the real model."""
    repository = checkout(tmp_path / "repository")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bin_dir = tmp_path / "venv" / "bin"
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "VIRTUAL_ENV", "JUPYTER"))
        },
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"),
        "IPYTHONDIR": str(tmp_path / "home" / ".ipython"),
    }
    (tmp_path / "home").mkdir()

    run(["binder/postBuild"], repository, environment)
    run([bin_dir / "jupyter", "execute", "notebooks/01_quickstart.ipynb"], repository, environment)

    assert list((tmp_path / "home" / ".cache").rglob("SmolLM2-135M-Instruct.Q4_1.gguf"))


def run(command, folder, environment):
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout[-5000:]


def checkout(folder: Path) -> Path:
    """What a clone would hold, with today's changes: nothing that git ignores."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
