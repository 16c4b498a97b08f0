"""The program that runs a module here, by the settings of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from las_jupyter.engines.find import FoundEngine, NoEngine, find_engine

if TYPE_CHECKING:
    from las_jupyter.manifests.catalog import Entry
    from las_jupyter.settings.load import LoadedSettings

OWN_ENGINES = ("http-echo",)
"""Programs that come with us."""


def engine_of(
    entry: Entry, settings: LoadedSettings, *, engine_python: str | None = None
) -> FoundEngine | NoEngine | None:
    """
    What runs ``entry`` natively; None when it needs no program of others.

    ``engine_python`` is the user's own word for this start and outranks the settings. Looking for a program runs it, so
    for an entry that is not trusted nothing is looked for, whoever asks.
    """
    manifest = entry.manifest
    native = manifest.launch.native if manifest.launch else None
    if native is None or not native.needs:
        return None
    if not entry.trusted:
        why = f"its program is not looked for: {entry.standing}"
        return NoEngine(native.needs[0], why, entry.how_to_trust)
    if native.needs[0] in OWN_ENGINES:
        return None
    configured: Any = settings.engines.get(manifest.name)
    python = engine_python or (str(configured.python) if configured and configured.python else None)
    path = str(configured.path) if configured and configured.path and not engine_python else None
    found = find_engine(native.needs[0], path=path, python=python, install=native.install)
    if isinstance(found, NoEngine):
        return found._replace(remedy=found.remedy.replace("<module>", manifest.name))
    return found
