"""
Whether the Jupyter server that runs this kernel can show the panel.

Kernel and server are often of two environments: the widget's Python half is needed here, and its script there.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.stack.finding import Finding
from las_jupyter.state.files import read_plain

_PACKAGE_AT_MOST = 2**20  # bytes of a package.json, which has a few thousand

_EXTENSIONS = {"anywidget": "anywidget", "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets"}
"""Scripts that the server must have, and the packages that bring them."""

_AHEAD = {"jupyterlab_widgets": 2}
"""By how much a script's first number is above its package's: jupyterlab_widgets 3 brings script 5, and 1 brought 3."""


class Server(NamedTuple):
    """The server: the words it was started with, and the folder of its environment."""

    argv: tuple[str, ...]
    prefix: Path

    @property
    def python(self) -> str:
        """Its Python."""
        return str(self.prefix / "bin" / "python")


def find_server(pid: int, proc: Path = Path("/proc")) -> Server | None:
    """The server with that process id; None when it is none that we know or may not be looked at."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return None
    if not any("jupyter" in Path(word).name for word in words[:4]):
        return None
    # A console script is run by the Python beside it; what `python` means is another matter.
    place = next((Path(word) for word in words[:2] if word.startswith("/")), None)
    return Server(tuple(words), place.parent.parent) if place else None


def data_folders(server: Server, home: Path) -> list[Path]:
    """Where such a server looks for extensions, the first that has one wins."""
    given = [Path(each) for each in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if each]
    shared = (Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter"))
    return [*given, home / ".local/share/jupyter", server.prefix / "share/jupyter", *shared]


def look_at_server(server: Server, folders: list[Path], installed: dict[str, str]) -> Iterator[Finding]:
    """Findings on the extensions; ``installed`` are versions of the packages in this kernel's environment."""
    for extension, package in _EXTENSIONS.items():
        subject = f"{package} in the server"
        there, cure = _version(folders, extension), f"{word(server.python)} -m pip install {word(package)}"
        here = installed.get(package)
        if there is None:
            says = f"the Jupyter server of {server.prefix} has no script of {package}: the panel stays empty"
            yield Finding(subject, False, says, cure)
        elif here and _major(here, there, _AHEAD.get(package, 0)) != _major(there, here):
            says = f"version {there} in the server and {here} here do not understand each other"
            yield Finding(subject, False, says, f"{cure}=={word(here)}")
        else:
            yield Finding(subject, True, there)
    if any((each / "las_jupyter").is_dir() for each in server.prefix.glob("lib/python3*/site-packages")):
        yield Finding("las_jupyter in the server", True, "it can be imported there")
    else:
        yield Finding("las_jupyter in the server", None, "it is not there, and need not be: the kernel's is used")


def _version(folders: list[Path], extension: str) -> str | None:
    """The version of a script, of JupyterLab or the older notebook."""
    for folder in folders:
        for kind in ("labextensions", "nbextensions"):
            place = folder / kind / extension
            try:
                return str(
                    json.loads(read_plain(str(place / "package.json"), _PACKAGE_AT_MOST)).get("version", "unknown")
                )
            except (OSError, ValueError, AttributeError):
                if (place / "extension.js").exists():
                    return "unknown"
    return None


def _major(version: str, other: str, ahead: int = 0) -> str:
    """What must be equal: of a version below 1 the second number as well. Unknown is equal to anything."""
    if "unknown" in (version, other):
        return ""
    numbers = version.split(".")
    if ahead and numbers[0].isdecimal():
        return str(int(numbers[0]) + ahead)
    return ".".join(numbers[: 2 if numbers[0] == "0" else 1])


def installed_here() -> dict[str, str]:
    """The versions of the packages in question in this environment."""
    found = {}
    for package in _EXTENSIONS.values():
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
