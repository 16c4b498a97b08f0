"""The examples of the pages run as they are printed, top to bottom, against the real thing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kernels import a_kernel

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.llamacpp, pytest.mark.usefixtures("clean_end", "smollm2")]

ROOT = Path(__file__).parents[2]


def examples(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["python-api.md", "errors.md"])
def test_the_python_of_a_page_runs(page, tmp_path):
    script = tmp_path / "page.py"
    script.write_text("\n".join(examples(page)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_cells_of_the_page_on_magics_run():
    cells = examples("magics.md") + re.findall(
        r"^```text\n(%%las .*?)^```", (ROOT / "docs" / "magics.md").read_text(), re.DOTALL | re.MULTILINE
    )

    assert len(cells) >= 2
    with a_kernel() as kernel:
        for cell in cells:
            shown = kernel.run(cell)
            assert shown.ok, shown.error_lines
