"""A real JupyterLab and a real Chromium, kept apart from the person who runs the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import Browser, Page

CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TOKEN = "test"
_OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Lab:
    """One ``jupyter lab`` with folders of its own below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.state_dir = folder / "las-state"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("notebooks", "config", "data", "runtime", "ipython", "settings", "user", "workspaces"):
            (folder / name).mkdir(parents=True)
        (folder / "settings" / "overrides.json").write_text(json.dumps(_OVERRIDES))
        self._log = (folder / "lab.log").open("wb")
        self.process = subprocess.Popen(
            self._command(), env=self._environment(), cwd=self.notebooks, stdout=self._log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._wait_until_up()

    def _command(self) -> list[str]:
        return [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.notebooks}", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            f"--LabApp.app_settings_dir={self.folder / 'settings'}",
            f"--LabApp.user_settings_dir={self.folder / 'user'}",
            f"--LabApp.workspaces_dir={self.folder / 'workspaces'}",
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        own = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython", "XDG_CONFIG_HOME": "config", "LAS_JUPYTER_STATE_DIR": "las-state",
        }  # fmt: skip
        root = str(Path(__file__).parents[2])
        folders = {name: str(self.folder / folder) for name, folder in own.items()}
        return {**os.environ, **folders, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.api("GET", "/api/status")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError((self.folder / "lab.log").read_text()[-4000:])

    def api(self, method: str, path: str) -> Any:
        """One call of the server's REST API."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def write_notebook(self, name: str, cells: Iterable[str]) -> str:
        """A notebook with ``cells`` to open."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.notebooks / name)
        return name

    def stop(self) -> None:
        """End the server and its kernels."""
        tree = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for each in psutil.wait_procs(tree, timeout=5)[1]:
            each.kill()
        self._log.close()


class Notebook:
    """One open notebook, driven through JupyterLab's own commands."""

    def __init__(
        self, lab: Lab, browser: Browser, name: str, *, width: int = 1280, height: int = 900, sharpness: float = 1
    ) -> None:
        self.lab = lab
        self.name = name
        self.page: Page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=sharpness)
        self.console: list[str] = []
        self.page.on("console", lambda said: self.console.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.open()

    def open(self) -> None:
        """Load the page and wait until its kernel is there."""
        self.page.goto(f"{self.lab.url}/lab/workspaces/w{time.time_ns()}?token={TOKEN}")
        self.wait_for_lab()
        self.page.evaluate(
            "path => window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'})", self.name
        )
        self.wait_for_kernel()

    def wait_for_lab(self) -> None:
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")

    def wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            """async () => {
                const shown = window.jupyterapp.shell.currentWidget;
                if (!shown || !shown.sessionContext) return false;
                await shown.context.ready;
                await shown.sessionContext.ready;
                const kernel = shown.sessionContext.session && shown.sessionContext.session.kernel;
                return !!kernel && kernel.status === 'idle' && kernel.connectionStatus === 'connected';
            }""",
            timeout=90_000,
        )

    def run(self, index: int, *, wait: bool = True, timeout: float = 120) -> str:
        """Run cell ``index``; its text output, or nothing when not waited for."""
        self.page.set_default_timeout(timeout * 1000)
        self.page.evaluate(
            """async ([index, wait]) => {
                const content = window.jupyterapp.shell.currentWidget.content;
                content.activeCellIndex = index;
                content.deselectAll();
                const done = window.jupyterapp.commands.execute('notebook:run-cell');
                if (wait) await done;
            }""",
            [index, wait],
        )
        return self.output(index) if wait else ""

    def output(self, index: int) -> str:
        """The text of cell ``index``'s outputs."""
        return str(
            self.page.evaluate(
                """index => {
                    const outputs = window.jupyterapp.shell.currentWidget.content.widgets[index].model.outputs;
                    let text = '';
                    for (let at = 0; at < outputs.length; at++) {
                        const each = outputs.get(at).toJSON();
                        const plain = each.text ?? (each.data && each.data['text/plain']) ?? '';
                        text += Array.isArray(plain) ? plain.join('') : plain;
                        if (each.output_type === 'error') text += each.traceback.join('\\n');
                    }
                    return text;
                }""",
                index,
            )
        )

    def command(self, name: str) -> None:
        """One of JupyterLab's commands, as from its menu."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def cells(self) -> int:
        """How many cells the notebook has."""
        return int(self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length"))

    def restart_kernel(self) -> None:
        """Restart it as the menu does, without the question."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.wait_for_kernel()

    def close(self) -> None:
        self.page.close()
