"""What the panel copies is what it shows, and nothing of it acts when it is pasted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab, Notebook
from playwright.sync_api import expect

from las_jupyter.core.advice import word

pytest_plugins = ("servers",)
pytestmark = pytest.mark.browser
Open = Callable[..., Notebook]

FAILS = """\
name: strange
version: "1"
runtime: {{modes: [native], preferred: native}}
launch: {{native: {{argv: ["{{python}}", "{script}"]}}}}
phases: [{{pattern: "model", says: "reading the model"}}]
failures: [{{id: bad, pattern: "bad model (.*) here", meaning: "the model {{1}} is bad", remedy: "%las status {{1}}"}}]
"""


def test_the_copied_next_step_is_the_one_shown_and_runs_nothing_of_a_strangers(
    lab: Lab, notebook: Open, tmp_path: Path
) -> None:
    fired = lab.notebooks / "fired"
    theirs = '$(touch fired);{open("fired","w")}\u202e\x1b]0;t\x07\u200b\'`touch fired`'
    seen = '$(touch fired);{open("fired","w")}\'`touch fired`'
    script, manifest = tmp_path / "fails.py", tmp_path / "manifest.yaml"
    script.write_text(f"print({f'bad model {theirs} here'!r}, flush=True)\nraise SystemExit(1)\n")
    manifest.write_text(FAILS.format(script=script))
    opened = notebook(
        "%load_ext las_jupyter\nimport las_jupyter as las", f"%las trust {manifest}", f"%las start {manifest}",
        "las.panel()", "",
    )  # fmt: skip
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for index in range(4):
        opened.run(index)
    advice = opened.page.locator(".las-remedy").last

    expect(advice.locator("code")).to_have_text(f"%las status {word(seen)}", timeout=15_000)
    advice.get_by_role("button").click()
    expect(advice.get_by_role("button")).to_have_text("Copied")
    copied = str(opened.page.evaluate("() => navigator.clipboard.readText()"))

    assert copied == f"%las status {word(seen)}"
    assert not fired.exists()
    said = paste_and_run(opened, copied)
    assert "There is no instance" in said
    assert "touch fired" in said
    subprocess.run(["bash", "-c", copied.replace("%las", "true")], check=True, cwd=lab.notebooks)
    assert not fired.exists()


def paste_and_run(opened: Notebook, text: str) -> str:
    """What the last cell answers after its source became ``text``, as by a paste."""
    last = opened.cells() - 1
    opened.page.evaluate(
        "([at, text]) => window.jupyterapp.shell.currentWidget.content.widgets[at].model.sharedModel.setSource(text)",
        [last, text],
    )
    return opened.run(last)
