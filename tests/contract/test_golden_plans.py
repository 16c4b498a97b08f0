"""What each module's plan was when somebody last looked at it. After a change: python tests/contract/golden.py"""

from __future__ import annotations

import json

import pytest
from golden import FOLDER, plans

from las_jupyter.manifests.catalog import Entry, bundled


@pytest.mark.parametrize("entry", bundled(), ids=lambda entry: entry.manifest.name)
def test_its_plans_are_those_that_were_agreed_on(entry: Entry):
    path = FOLDER / f"{entry.manifest.name}.json"

    assert json.loads(path.read_text()) == json.loads(json.dumps(plans(entry)))


@pytest.mark.parametrize("entry", bundled(), ids=lambda entry: entry.manifest.name)
def test_its_plans_listen_on_this_machine_only(entry: Entry):
    for where, plan in plans(entry).items():
        if where.startswith("native") and "refused" not in plan:
            assert "0.0.0.0" not in json.dumps([plan["argv"], plan.get("env", {})])


def test_there_is_no_golden_file_without_a_module():
    assert {path.stem for path in FOLDER.glob("*.json")} == {entry.manifest.name for entry in bundled()}
