"""
Take the picture of the panel that the pages show: ``python tests/browser/picture.py FOLDER``.

A real llama.cpp, a server that failed and one that was stopped, in a real JupyterLab: ``panel.png`` and
``panel-dark.png``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lab import CHROMIUM_OPTIONS, Lab, Notebook
from playwright.sync_api import Playwright, expect, sync_playwright

CELLS = (
    """%load_ext las_jupyter
import las_jupyter as las
scratch = las.start("http-echo", name="scratch", port=0)
scratch.stop()
try:
    las.start("llama.cpp", model="smollm2-135m", name="draft", args=["--no-such-option"])
except las.LasError:
    pass
chat = las.start("llama.cpp", model="smollm2-135m", name="chat")
""",
    "las.panel()",
    """import time
client = chat.openai()
until = time.time() + 40
while time.time() < until:
    client.chat.completions.create(
        model=chat.model, messages=[{"role": "user", "content": "Tell me a story."}], max_tokens=40
    )
    time.sleep(1.5)
""",
)


def take(folder: Path, playwright: Playwright, lab: Lab) -> None:
    """Write both pictures into ``folder``."""
    chromium = shutil.which("chromium")
    browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
    notebook = Notebook(lab, browser, lab.write_notebook("panel.ipynb", CELLS), width=1100, height=1300, sharpness=1.5)
    notebook.command("application:toggle-left-area")
    print(notebook.run(0))
    notebook.run(1)
    card = notebook.page.get_by_test_id("card-chat").last
    expect(card).to_contain_text("Healthy", timeout=30_000)
    notebook.run(2, wait=False)
    time.sleep(32)
    panel = notebook.page.locator(".las-panel").last
    card.locator("summary").click()
    panel.screenshot(path=folder / "panel-details.png")
    card.locator("summary").click()
    panel.screenshot(path=folder / "panel.png")
    notebook.page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    time.sleep(1)
    panel.screenshot(path=folder / "panel-dark.png")
    notebook.page.screenshot(path=folder / "lab.png")
    browser.close()


def main() -> None:
    """Take them, and leave no server behind."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        lab = Lab(Path(home) / "lab")
        try:
            take(folder, playwright, lab)
        finally:
            lab.stop()
            os.environ["LAS_JUPYTER_STATE_DIR"] = str(lab.state_dir)
            import las_jupyter as las

            las.stop(all=True)


if __name__ == "__main__":
    main()
