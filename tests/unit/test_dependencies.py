"""What is installed with the package is used by the package, and what it uses is installed with it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import las_jupyter

ROOT = Path(las_jupyter.__file__).parent
PROJECT = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
FOR_OTHERS = {
    "ipywidgets": "anywidget draws by it, and its own range would admit versions that JupyterLab does not load"
}
"""Dependencies that the package does not import, and why they are there."""
COMES_WITH = {
    "requests": "docker",
    "urllib3": "docker",
    "traitlets": "anywidget",
    "pytest": "whoever runs las_jupyter.testing",
    "lean_typing": "us, under another name",
}
"""What is imported as a part of something that is declared."""


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", each)[0].lower().replace("_", "-") for each in requirements}


def imported() -> set[str]:
    """The modules of others that the package imports, lazily or not."""
    found: set[str] = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {each.name.split(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"las_jupyter"}


def distributions_of(modules: set[str]) -> set[str]:
    known = packages_distributions()
    return {name.lower().replace("_", "-") for each in modules for name in known.get(each, [])}


def test_every_dependency_is_imported_or_says_why_it_is_there() -> None:
    assert named(PROJECT["dependencies"]) - distributions_of(imported()) == set(FOR_OTHERS)


def test_everything_that_is_imported_is_a_dependency() -> None:
    declared = named([*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())])

    assert {each for each in imported() if not distributions_of({each}) & declared} == COMES_WITH.keys()
