"""What we ship works for a person without Node and without a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PANEL = "las_jupyter/widgets/static/panel.js"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, stdout=subprocess.DEVNULL)
    return folder


def the_wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


def test_the_wheel_holds_the_built_panel_and_the_bundled_manifests(dist: Path) -> None:
    names = zipfile.ZipFile(the_wheel(dist)).namelist()

    assert PANEL in names
    assert "las_jupyter/manifests/bundled/llama.cpp/manifest.yaml" in names


def test_the_source_distribution_holds_the_built_panel(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]

    assert PANEL in names


def test_nothing_but_the_package_is_installed(dist: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(the_wheel(dist)).namelist()}

    assert {root for root in roots if not root.endswith(".dist-info")} == {"las_jupyter"}


def test_a_plain_pip_install_shows_a_panel_without_node(dist: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    # The wheel we just built is not among the hashed: these hold the versions, as a person's own constraints would.
    versions = tmp_path / "versions.txt"
    versions.write_text(re.sub(r" \\\n +--hash=\S+", "", (ROOT / "constraints.txt").read_text()))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    environment = {
        **os.environ,
        "PATH": str(python.parent),
        "PIP_CONSTRAINT": str(versions),
        "LAS_JUPYTER_STATE_DIR": str(tmp_path / "state"),
    }
    subprocess.run([python, "-m", "pip", "install", "-q", the_wheel(dist)], check=True, env=environment)

    shown = subprocess.run(
        [python, "-c", "import las_jupyter as las; print(len(las.panel()._esm) > 1000, len(las.modules()))"],
        check=True, env=environment, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip

    flag, modules = shown.stdout.split()
    assert flag == "True"
    assert int(modules) >= 3
