"""Every command that any sentence of ours advises is one that is understood."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import las_jupyter
from las_jupyter.stack.grammar import BY_NAME

ROOT = Path(las_jupyter.__file__).parent
VALUE = "VALUE"
GOES_ON = "which|says|shows|takes|gives|uses|starts|names|checks"
COMMAND = re.compile(rf"%las ([a-z-]+)([^,;:()]*?)(?=$|[,;:()]|%las| (?:{GOES_ON}) )")


def text_of(node: ast.AST) -> str:
    """A string as a person reads it; what is put into it becomes a word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else VALUE for part in node.values)
    return ""


def documentation(tree: ast.AST) -> set[int]:
    """Docstrings, which may speak of commands as they like."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


def advice() -> list[tuple[str, str, str]]:
    """Where, the verb, and what follows it up to the end of the command, of all strings of the package."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        skipped = documentation(tree)
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if id(node) not in skipped | inside:
                where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                found += [(where, *match.groups()) for match in COMMAND.finditer(text_of(node))]
    for path in sorted(ROOT.rglob("*.yaml")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            found += [(where, *match.groups()) for match in COMMAND.finditer(line.rstrip('"'))]
    return found


@pytest.mark.parametrize(("where", "verb", "rest"), advice())
def test_advised_commands_have_a_verb_and_options_that_exist(where: str, verb: str, rest: str) -> None:
    assert verb in BY_NAME, f"{where} advises %las {verb}"
    known = {option.word for option in BY_NAME[verb].options} | {option.short for option in BY_NAME[verb].options}
    ours = rest.split(" -- ")[0]
    asked = {word.split("=")[0] for word in re.findall(r"(?<!\S)--[a-z][\w-]*", ours)}
    assert asked <= known, f"{where} advises %las {verb}{rest}"


def test_there_is_advice_to_look_at() -> None:
    assert len(advice()) > 60
