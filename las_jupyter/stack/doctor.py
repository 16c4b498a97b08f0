"""
What this machine offers and lacks for each thing we can do, with the cure for each lack.

Nothing here is needed to start anything, and no check can fail the doctor: what cannot be asked is a finding too.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from las_jupyter.backends.oci_backend import OciBackend
from las_jupyter.backends.table import load_backend
from las_jupyter.core.advice import word
from las_jupyter.core.errors import LasError
from las_jupyter.core.quantities import format_size
from las_jupyter.display.lists import findings_table
from las_jupyter.display.table import Table
from las_jupyter.engines.find import FoundEngine
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.models.cache import default_cache_dir
from las_jupyter.planning.container_engines import ORDER
from las_jupyter.resources import machine
from las_jupyter.settings.load import load_settings
from las_jupyter.stack.engine_of import engine_of
from las_jupyter.stack.finding import Finding
from las_jupyter.stack.gpu_plumbing import gpu_plumbing
from las_jupyter.stack.jupyter_server import data_folders, find_server, installed_here, look_at_server
from las_jupyter.state.custody import fault_of_folder_for
from las_jupyter.state.paths import default_paths

if TYPE_CHECKING:
    from las_jupyter.manifests.catalog import Catalog, Entry
    from las_jupyter.planning.container_engines import ORDER
from las_jupyter.settings.load import LoadedSettings

_LITTLE_SPACE = 2 * 10**9


def doctor() -> Table[Finding]:
    """Look at everything once; takes a second or two."""
    return findings_table([finding for check in CHECKS for finding in _carefully(check)])


def _carefully(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    subject = check.__name__.removeprefix("_").replace("_", " ")
    try:
        yield from check()
    except LasError as error:
        yield Finding(subject, False, " ".join(error.lines()[:2]), error.remedy or "")
    except Exception as error:
        yield Finding(subject, None, f"could not be asked: {type(error).__name__}: {error}")


def _python() -> Iterator[Finding]:
    yield Finding("Python", True, f"{platform.python_version()} at {sys.executable}")


def _settings() -> Iterator[Finding]:
    settings = load_settings()
    sources = sorted({line.source for line in settings.explain() if not line.source.startswith("default")})
    yield Finding("settings", True, "from " + (", ".join(sources) or "the defaults only"))
    for each in settings.ignored:
        yield Finding("settings", False, each.text.partition(" → ")[0], each.remedy)


def _catalog() -> Iterator[Finding]:
    catalog = load_catalog(load_settings())
    yield Finding("manifests", True, f"{len(catalog.entries)} modules")
    for problem in catalog.problems:
        yield Finding("manifests", False, " ".join(problem.lines()[:2]), problem.remedy or "")


def _state_folder() -> Iterator[Finding]:
    folder = Path(default_paths().state_dir)
    yield _room("state folder", folder, "name another in LAS_JUPYTER_STATE_DIR")
    logs = load_settings().runtime.log_dir
    if logs is not None:
        yield _room("log folder", Path(logs), "name another in runtime.log_dir")


def _model_folder() -> Iterator[Finding]:
    folder = Path(load_settings().models.cache_dir or default_cache_dir())
    yield _room("model folder", folder, "name another in models.cache_dir")


def _room(subject: str, folder: Path, elsewhere: str) -> Finding:
    fault = fault_of_folder_for(str(folder / "any"))
    if fault is not None:
        return Finding(subject, False, f"{fault.path}: {fault.why}", f"{fault.remedy}, or {elsewhere}")
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK):
        return Finding(subject, False, f"{folder} cannot be written", elsewhere)
    free = shutil.disk_usage(place).free
    cure = "" if free > _LITTLE_SPACE else f"free some space, or {elsewhere}"
    return Finding(subject, free > _LITTLE_SPACE, f"{folder}, {format_size(free)} free", cure)


def _memory_and_processors() -> Iterator[Finding]:
    total, left = machine.memory_total(), machine.memory_available()
    yield Finding("memory", True, f"{format_size(left)} of {format_size(total)} can be had; {machine.cpus():g} cores")


def _gpus() -> Iterator[Finding]:
    found = machine.gpus()
    for gpu in found:
        unified = " of the machine's own memory" if gpu.unified else ""
        free = f"{format_size(gpu.memory_free)} of {format_size(gpu.memory_total)}{unified} free"
        yield Finding(f"GPU {gpu.id}", True, f"{gpu.name}, {free}")
    if not found:
        yield Finding("GPUs", None, "none answers; models run on the processor")
    yield from gpu_plumbing(machine.nvidia_gpus()[1])


def _backends() -> Iterator[Finding]:
    settings = load_settings()
    yield _backend("native", "runtime.native_enabled", allowed=settings.runtime.native_enabled)
    for name in ORDER:
        yield _backend(name, "runtime.docker_enabled", allowed=settings.runtime.docker_enabled)


def _backend(name: str, setting: str, *, allowed: bool) -> Finding:
    if not allowed:
        return Finding(name, None, f"{setting} is off", f"%las config {word(setting)}")
    try:
        backend = load_backend(name)
        lacking = backend.why_unavailable()
    except LasError as error:
        return Finding(name, None, error.cause or error.message, error.remedy or "")
    if lacking is None:
        why = backend.why_reachable() if isinstance(backend, OciBackend) else None
        if why is not None:
            return Finding(
                name, None, f"it can be used, and other machines may reach what it runs: {why.reason}", why.remedy
            )
        return Finding(name, True, "it can be used")
    # One mode is enough for most modules: a missing container engine is no illness by itself.
    return Finding(name, False if name == "native" else None, lacking.reason, lacking.remedy)


def _engines() -> Iterator[Finding]:
    settings = load_settings()
    catalog: Catalog = load_catalog(settings)
    for entry in catalog.entries:
        finding = _engine(entry, settings)
        if finding is not None:
            yield finding


def _engine(entry: Entry, settings: LoadedSettings) -> Finding | None:
    name, found = entry.manifest.name, engine_of(entry, settings)
    if found is None:
        return None
    if isinstance(found, FoundEngine):
        return Finding(name, True, f"{found.program} {found.version}: {found.why}")
    return Finding(name, None, found.reason, found.remedy)


def _notebook() -> Iterator[Finding]:
    for package in ("ipykernel", "ipywidgets", "anywidget", "openai"):
        try:
            yield Finding(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(package, None, "is not installed here", f"pip install {word(package)}")
    spec = importlib.util.find_spec("las_jupyter.widgets")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None or not (folder / "static" / "panel.js").exists():
        yield Finding("panel", False, "its script is not built", "make javascript, in the checkout")


def _jupyter_server() -> Iterator[Finding]:
    pid = os.environ.get("JPY_PARENT_PID", "")
    if not pid.isdigit():
        yield Finding("Jupyter server", None, "this is no kernel of one")
        return
    server = find_server(int(pid))
    if server is None:
        yield Finding("Jupyter server", None, "what runs this kernel is none we know; it brings its own widgets")
        return
    yield Finding("Jupyter server", True, f"it runs from {server.prefix}")
    yield from look_at_server(server, data_folders(server, Path.home()), installed_here())


CHECKS = (
    _python, _settings, _catalog, _state_folder, _model_folder, _memory_and_processors, _gpus, _backends, _engines,
    _notebook, _jupyter_server,
)  # fmt: skip
