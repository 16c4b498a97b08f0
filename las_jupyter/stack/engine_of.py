"""The program that runs a module here, by the settings of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from las_jupyter.engines.find import FoundEngine, NoEngine, find_engine

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest
    from las_jupyter.settings.load import LoadedSettings

OWN_ENGINES = ("http-echo",)
"""Programs that come with us."""


def engine_of(
    manifest: Manifest, settings: LoadedSettings, *, engine_python: str | None = None
) -> FoundEngine | NoEngine | None:
    """
    What runs ``manifest`` natively; None when it needs no program of others.

    ``engine_python`` is the user's own word for this start and outranks the settings.
    """
    native = manifest.launch.native if manifest.launch else None
    if native is None or not native.needs or native.needs[0] in OWN_ENGINES:
        return None
    configured: Any = settings.engines.get(manifest.name)
    python = engine_python or (str(configured.python) if configured and configured.python else None)
    path = str(configured.path) if configured and configured.path and not engine_python else None
    found = find_engine(native.needs[0], path=path, python=python, install=native.install)
    if isinstance(found, NoEngine):
        return found._replace(remedy=found.remedy.replace("<module>", manifest.name))
    return found
