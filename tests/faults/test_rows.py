"""Every row of the fault catalogue has a test, or stands among the known gaps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rows import ENGINE_ROWS, ROWS, UNTRIED, Row

TESTS = Path(__file__).parents[1]
LAST_ROW = 64


def names(folder: Path) -> set[str]:
    """The names of the test functions in the files of ``folder``."""
    trees = (ast.parse(path.read_text()) for path in folder.rglob("test_*.py"))
    return {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number:02}")
def test_a_row_has_a_test(row: Row) -> None:
    assert any(name.startswith(row.prefixes) for name in names(TESTS / "faults")), row.fault


@pytest.mark.parametrize("row", ENGINE_ROWS, ids=lambda row: f"{row.number:02}")
def test_a_row_on_engines_has_a_test(row: Row) -> None:
    assert any(name.startswith(row.prefixes) for name in names(TESTS / "integration")), row.fault


def test_the_catalogue_has_no_hole() -> None:
    numbers = sorted([row.number for row in (*ROWS, *ENGINE_ROWS)] + list(UNTRIED))

    assert numbers == list(range(1, LAST_ROW + 1))
