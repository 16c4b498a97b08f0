"""What the pages on models, engines and notebooks promise is what the code has."""

import json
from pathlib import Path

import pytest

from las_jupyter.models.named import NAMED_MODELS

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("name", NAMED_MODELS)
def test_every_named_model_is_documented_with_its_license_and_origin(name):
    model = NAMED_MODELS[name]

    rows = [
        line for line in (ROOT / "docs" / "models.md").read_text().splitlines() if line.startswith(f"| `{name}` | ")
    ]
    assert any(model.license in row and model.reference in row for row in rows)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_committed_notebook_holds_no_output_and_no_widget_state(path):
    notebook = json.loads(path.read_text())

    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    assert "widgets" not in notebook["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_committed_notebook_names_no_machine(path):
    text = path.read_text()

    assert "/home/" not in text
    assert "/root" not in text
