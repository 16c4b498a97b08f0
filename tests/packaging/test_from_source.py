"""Installing from a checkout or a git address gives the panel, on a machine without Node, or says why it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PANEL = "las_jupyter/widgets/static/panel.js"
PROGRAMS = ("git", "sh", "env")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What git tracks, as somebody has it who has just cloned it."""
    folder = tmp_path / "checkout"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def without_node(tmp_path: Path) -> dict[str, str]:
    """An environment in which no Node is found."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in PROGRAMS:
        found = shutil.which(program)
        if found:
            (folder / program).symlink_to(found)
    return {**os.environ, "PATH": str(folder), "PIP_BUILD_CONSTRAINT": str(ROOT / "constraints.txt")}


@pytest.fixture
def with_node() -> dict[str, str]:
    """An environment with the Node that built the panel here: the machine's, else the one of ``scripts/node-env``."""
    path = os.pathsep.join([str(ROOT / ".venv" / "node-bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PIP_BUILD_CONSTRAINT": str(ROOT / "constraints.txt")}


def pip_wheel(source: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), source]
    return subprocess.run(words, check=False, env=environment, capture_output=True, text=True)


def test_a_wheel_made_from_a_git_address_without_node_holds_the_panel(
    checkout: Path, without_node: dict[str, str], tmp_path: Path
) -> None:
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=checkout, check=True)

    made = pip_wheel(f"git+{checkout.as_uri()}", tmp_path / "wheel", without_node)

    assert made.returncode == 0, made.stderr
    assert PANEL in zipfile.ZipFile(next((tmp_path / "wheel").glob("*.whl"))).namelist()


def test_a_wheel_without_the_panel_cannot_be_made_and_the_build_says_why(
    checkout: Path, with_node: dict[str, str], tmp_path: Path
) -> None:
    nobody = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_fetch_retries": "0"}

    made = pip_wheel(str(checkout), tmp_path / "wheel", {**with_node, **nobody})

    assert made.returncode != 0
    assert "the panel's JavaScript could not be built, and no package is made without it" in made.stderr
    assert "→ npm must reach its registry" in made.stderr
    assert not list((tmp_path / "wheel").glob("*.whl"))


def test_a_stale_panel_is_built_again(checkout: Path, with_node: dict[str, str], tmp_path: Path) -> None:
    old = checkout / PANEL
    old.parent.mkdir(parents=True)
    old.write_text("export default {};\n")
    os.utime(old, (1, 1))

    made = pip_wheel(str(checkout), tmp_path / "wheel", with_node)

    assert made.returncode == 0, made.stderr
    wheel = zipfile.ZipFile(next((tmp_path / "wheel").glob("*.whl")))
    assert len(wheel.read(PANEL)) > 10_000


def test_a_panel_as_new_as_its_sources_is_taken_as_it_is(
    checkout: Path, with_node: dict[str, str], tmp_path: Path
) -> None:
    (checkout / PANEL).parent.mkdir(parents=True)
    (checkout / PANEL).write_text("export default {};\n")
    nobody = {"npm_config_registry": "http://127.0.0.1:9/"}

    made = pip_wheel(str(checkout), tmp_path / "wheel", {**with_node, **nobody})

    assert made.returncode == 0, made.stderr
    assert zipfile.ZipFile(next((tmp_path / "wheel").glob("*.whl"))).read(PANEL) == b"export default {};\n"
