"""In which modes each module of the catalog could be started here and now, without asking for a plan of each."""

from __future__ import annotations

from las_jupyter.core.states import Mode
from las_jupyter.engines.find import NoEngine
from las_jupyter.manifests import lower
from las_jupyter.manifests.catalog import Entry
from las_jupyter.settings.load import LoadedSettings
from las_jupyter.stack.engine_of import engine_of
from las_jupyter.stack.survey import backends


def container_engine(settings: LoadedSettings) -> str | None:
    """The container engine that a start would take now; None when none can be used."""
    usable = [each.name for each in backends(settings) if each.mode is Mode.CONTAINER and each.unavailable is None]
    return usable[0] if settings.runtime.docker_enabled and usable else None


def ways(entry: Entry, settings: LoadedSettings, container: str | None, *, gpu: bool) -> tuple[str, ...]:
    """
    The modes it can be started in here: ``native`` where its program is, ``container`` where an engine is.

    ``gpu`` says whether a GPU answers, for what is of no use without one.
    """
    found: list[str] = []
    if lower.needs(entry.manifest).gpu and not gpu:
        return ()
    if settings.runtime.native_enabled and entry.trusted and _natively(entry, settings):
        found.append("native")
    if container and _in_container(entry, gpu=gpu):
        found.append(f"container ({container})")
    return tuple(found)


def _in_container(entry: Entry, *, gpu: bool) -> bool:
    manifest = entry.manifest
    return manifest.missing(Mode.CONTAINER) is None and (gpu or not lower.container(manifest).needs_gpu)


def _natively(entry: Entry, settings: LoadedSettings) -> bool:
    return entry.manifest.missing(Mode.NATIVE) is None and not isinstance(engine_of(entry, settings), NoEngine)
