"""One JupyterLab and one Chromium for all tests here; a notebook and a state folder's leftovers for each."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import CHROMIUM_OPTIONS, Lab, Notebook
from playwright.sync_api import Browser, sync_playwright
from required import missing

from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("LAS_TEST_SHOTS")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if CHROMIUM is None:
        missing("browser", "there is no Chromium")
    running = Lab(tmp_path_factory.mktemp("lab") / "home")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser(lab: Lab) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_OPTIONS)
        yield running
        running.close()


@pytest.fixture
def manager(lab: Lab) -> Iterator[Manager]:
    """The instances of this Lab, as another program of the same user sees them; all are gone afterwards."""
    seen = Manager(StatePaths(str(lab.state_dir), str(lab.state_dir / "logs")))
    yield seen
    for snapshot in seen.snapshots():
        if snapshot.state.alive:
            seen.stop(snapshot.name, grace=1.0)
        seen.remove(snapshot.name)


@pytest.fixture
def notebook(
    lab: Lab, browser: Browser, manager: Manager, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook with the given cells."""
    opened: list[Notebook] = []

    def open_one(*cells: str) -> Notebook:
        name = f"{request.node.name[:60]}-{len(opened)}.ipynb"
        opened.append(Notebook(lab, browser, lab.write_notebook(name, cells)))
        return opened[-1]

    yield open_one
    for each in opened:
        print("\n".join(each.console[:20]))
        with contextlib.suppress(Exception):
            if SHOTS:
                each.page.screenshot(path=Path(SHOTS) / f"{request.node.name}.png")
            each.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        each.close()
