"""No line of a log can hold up whoever looks through it with a bundled manifest's patterns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from las_jupyter.logs.patterns import too_slow
from las_jupyter.manifests.catalog import bundled

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "patterns.py"
PATTERNS = [
    (entry.manifest.name, row.pattern)
    for entry in bundled()
    for row in (*entry.manifest.phases, *entry.manifest.failures)
]

QUADRATIC = """\
name: slow
runtime: {modes: [native]}
failures: [{pattern: "sh: .*initdb: not found", meaning: a, remedy: b}]
"""


def measured(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARK), *map(str, files)], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(("module", "pattern"), PATTERNS)
def test_it_can_be_searched_for_in_any_line(module: str, pattern: str) -> None:
    assert not too_slow(pattern), module


def test_twice_the_line_takes_twice_the_time() -> None:
    done = measured()

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_benchmark_finds_a_pattern_for_which_that_is_not_so(tmp_path: Path) -> None:
    file = tmp_path / "slow.yaml"
    file.write_text(QUADRATIC)

    done = measured(file)

    assert done.returncode == 1
    assert "1 super-linear" in done.stdout
