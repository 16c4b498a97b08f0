"""What is pinned is pinned by its bytes, and says nothing of where they came from."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINS = ("constraints.txt", "tests/vllm/constraints.txt")
PINNED = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+( ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text: str) -> list[list[str]]:
    """Each requirement as its words: what is pinned, then its hashes."""
    return [line.split(" \\\n    ") for line in re.split(r"\n(?=\S)", text.rstrip("\n"))]


@pytest.mark.parametrize("file", PINS)
def test_every_pinned_package_has_the_hashes_of_its_files(file):
    found = requirements((ROOT / file).read_text())

    assert len(found) > 100
    for pinned, *hashes in found:
        assert PINNED.fullmatch(pinned), pinned
        assert hashes, f"{pinned} has no hash"
        assert all(HASH.fullmatch(each) for each in hashes), pinned


def test_every_npm_package_has_its_integrity_and_no_address():
    packages = json.loads((ROOT / "js" / "package-lock.json").read_text())["packages"]
    fetched = {name: row for name, row in packages.items() if name and not row.get("link")}

    assert len(fetched) > 20
    assert [name for name, row in fetched.items() if not row.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, row in fetched.items() if "resolved" in row] == []


@pytest.mark.parametrize("file", [*PINS, "js/package-lock.json"])
def test_no_pin_names_the_index_or_the_machine_it_was_written_on(file):
    text = (ROOT / file).read_text()
    if file.endswith(".json"):  # "funding" is where authors ask for money, and nothing is fetched from there
        text = re.sub(r'"funding": (\{[^}]*\}|\[[^\]]*\]|"[^"]*")', "", text)

    assert re.findall(r"\w+://|--(?:extra-)?index-url|--find-links|--trusted-host| @ |^#", text, re.MULTILINE) == []


@pytest.fixture
def pip(tmp_path):
    """The pip of this environment, held to the constraints with one package's hashes changed."""

    def run(*words: str, changed: str = "") -> subprocess.CompletedProcess[str]:
        pinned, found = ROOT / "constraints.txt", []
        for name, *hashes in requirements(pinned.read_text()):
            if changed and name.startswith(f"{changed}=="):
                hashes = [f"--hash=sha256:{'0' * 64}"]  # noqa: PLW2901
            found.append(" \\\n    ".join([name, *hashes]))
        (tmp_path / "constraints.txt").write_text("\n".join(found) + "\n")
        return subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--target", tmp_path / "there", *words],
            check=False, capture_output=True, text=True,
            env={**os.environ, "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"), "HOME": str(tmp_path)},
        )  # fmt: skip

    return run


def test_a_package_whose_bytes_are_not_the_pinned_ones_is_not_installed(pip, tmp_path):
    assert pip("h11>=0.14").returncode == 0

    done = pip("h11>=0.14", "--upgrade", changed="h11")

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_what_a_package_needs_is_held_to_its_hashes_too(pip):
    done = pip("httpcore>=1.0", changed="h11")  # httpcore needs h11

    assert done.returncode != 0
    assert "h11" in done.stderr
