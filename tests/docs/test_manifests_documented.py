"""The page about manifests says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from las_jupyter.manifests import template
from las_jupyter.manifests.catalog import bundled
from las_jupyter.manifests.load import parse_manifest
from las_jupyter.policy.load import parse_policies

PAGE = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text()


def blocks(begins: str) -> list[str]:
    return [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith(begins)]


def test_every_bundled_module_is_in_the_table():
    named = set(re.findall(r"^\| `([a-z.-]+)`", PAGE, re.MULTILINE))

    assert {entry.manifest.name for entry in bundled()} <= named


def test_every_name_in_braces_is_described_as_the_code_does():
    described = dict(re.findall(r"^\| `\{([a-z_]+)\}` \| (.*) \|$", PAGE, re.MULTILINE))

    assert described == template.NAMES
    assert all(f"`{{{family}:NAME}}`" in PAGE for family in template.FAMILIES)


def test_the_example_of_a_manifest_is_one():
    (example,) = blocks("name:")

    assert parse_manifest(example.encode(), "docs").can_start()


def test_the_example_of_a_policy_is_one():
    (example,) = blocks("policies:")

    assert parse_policies(example.encode(), "docs")
    assert set(yaml.safe_load(example)["policies"][0]["allow"]) >= {"modes", "expose", "max_gpus"}
