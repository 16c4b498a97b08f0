"""Documentation that cannot lie: what exists is described, and what is described exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import settings_page

import las_jupyter as las
from las_jupyter.cli.main import EXIT_CODES
from las_jupyter.core import errors
from las_jupyter.settings import load_settings
from las_jupyter.stack import verbs
from las_jupyter.stack.grammar import BY_NAME, VERBS
from las_jupyter.stack.help import help_text
from las_jupyter.stack.instance import Instance
from las_jupyter.stack.requests import StartOptions

DOCS = Path(__file__).parents[2] / "docs"
MAGICS = (DOCS / "magics.md").read_text()
PYTHON = (DOCS / "python-api.md").read_text()
ERRORS = (DOCS / "errors.md").read_text()


def our_errors() -> list[type[errors.LasError]]:
    found, new = [], [errors.LasError]
    while new:
        kind = new.pop()
        new.extend(kind.__subclasses__())
        found.append(kind)
    return [kind for kind in found if kind is not errors.LasError and kind.__module__.startswith("las_jupyter")]


@pytest.mark.parametrize("name", ["all", *BY_NAME])
def test_the_page_shows_the_help_as_it_is(name):
    text = help_text(None if name == "all" else BY_NAME[name], "%las")

    assert f"<!-- help: {name} -->\n```text\n{text}\n```" in MAGICS, "run scripts/refresh-docs"


def test_no_verb_is_described_that_does_not_exist():
    assert set(re.findall(r"<!-- help: (\S+) -->", MAGICS)) == {"all", *BY_NAME}


@pytest.mark.parametrize("kind", our_errors(), ids=lambda kind: kind.__name__)
def test_every_error_is_described_with_the_exit_code_it_has(kind):
    code = next((code for base, code in EXIT_CODES if issubclass(kind, base)), 1)

    assert re.search(rf"^\| `{kind.__name__}` \| .+ \| {code} \|$", ERRORS, re.MULTILINE)


def test_no_error_is_described_that_does_not_exist():
    described = set(re.findall(r"^\| `(\w+)` \|", ERRORS, re.MULTILINE))

    assert described == {kind.__name__ for kind in our_errors()}


def test_the_tree_of_errors_is_drawn_as_it_is():
    drawn = re.findall(r"^[│├└─ ]*[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)
    own = [kind.__name__ for kind in our_errors() if kind.__module__ == errors.__name__]

    assert sorted(drawn) == sorted(own)


@pytest.mark.parametrize("name", verbs.VERBS)
def test_every_function_is_described_with_its_arguments(name):
    row = re.search(rf"^\| `las\.{name}\((.*?)\)` \|", PYTHON, re.MULTILINE)

    assert row is not None
    for argument in verbs.verb_signature(getattr(verbs.Stack, name)).parameters:
        assert argument in row[1] or (argument in StartOptions.__annotations__ and "**options" in row[1])


@pytest.mark.parametrize("option", StartOptions.__annotations__)
def test_every_start_option_is_described(option):
    assert f"\n| `{option}` |" in PYTHON


@pytest.mark.parametrize("name", [each for each in dir(Instance) if not each.startswith("_")])
def test_every_attribute_of_an_instance_is_described(name):
    assert f"`{name}`" in PYTHON or f"`{name}(" in PYTHON


def test_what_is_public_is_what_is_written_down():
    described = set(re.findall(r"^\| `las\.(\w+)", PYTHON, re.MULTILINE))

    assert described | {"Instance", "LasError", "aio", "load_ipython_extension", "unload_ipython_extension"} == {
        name for name in las.__all__ if not name.startswith("__")
    }


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_example_of_the_help_is_understood(verb):
    import shlex

    from las_jupyter.stack.parsing import parse

    for example in verb.examples:
        assert parse(shlex.split(example)).verb is verb


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_setting_is_described_with_its_default_and_no_other_is():
    page = (DOCS / "settings.md").read_text()
    shown = [line for line in page.splitlines() if line.startswith("| `")]

    assert shown == settings_page.lines(), "run scripts/refresh-docs"


def test_the_settings_example_is_one(tmp_path, monkeypatch):
    example = re.search(r"```toml\n(.*?)```", (DOCS / "settings.md").read_text(), re.DOTALL)
    assert example is not None
    (tmp_path / "las.toml").write_text(example[1])

    settings = load_settings(tmp_path)

    assert settings.limits.memory == 8 * 10**9
    assert settings.source_of("runtime.default_mode") == str(tmp_path / "las.toml")
