"""
The real rooms behind the stack, each imported when first needed.

Settings, catalog and state folder are read anew at every call: a person who edits a file or the environment in a
running notebook sees the change at the next verb.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.stack.rooms import Manager, ModuleRow, OnBytes, SettingRow


@functools.lru_cache(maxsize=8)
def _manager(paths: Any) -> Manager:
    manager: Manager = import_module("las_jupyter.runtime.manager").Manager(paths)
    return manager


class House:
    """``Rooms`` as they really are."""

    @property
    def manager(self) -> Manager:
        return _manager(import_module("las_jupyter.state.paths").default_paths(_log_dir()))

    def plan(self, request: StartRequest) -> StartPlan:
        decide = import_module("las_jupyter.planning.plan").decide
        survey = import_module("las_jupyter.stack.survey").survey
        settings = _settings()
        plan: StartPlan = decide(request, survey(request, settings, _catalog(settings), self.manager))
        return plan

    def fetch(self, plan: StartPlan, on_bytes: OnBytes) -> bool:
        if not plan.downloads or plan.spec.model is None:
            return False
        reference = import_module("las_jupyter.models.reference").parse(plan.spec.model)
        models = import_module("las_jupyter.models.fetch")
        cache = _settings().models.cache_dir
        if not isinstance(models.locate(reference, cache), models.NeedsDownload):
            return False
        models.fetch(reference, cache, lambda at: on_bytes(f"{reference.short_name} ({at.doing})", at.done, at.total))
        return True

    def modules(self) -> list[ModuleRow]:
        return [_module_row(entry) for entry in _catalog(_settings()).entries]

    def models(self) -> list[str]:
        return sorted(import_module("las_jupyter.models.named").NAMED_MODELS)

    def settings(self) -> list[SettingRow]:
        return [SettingRow(key, str(value), source) for key, value, source in _settings().explain()]

    def trust(self, path: str) -> str:
        return str(import_module("las_jupyter.manifests.trust").trust(path))

    def doctor(self) -> Any:
        return import_module("las_jupyter.stack.doctor").doctor()


def _settings() -> Any:
    return import_module("las_jupyter.settings").load_settings()


def _log_dir() -> str | None:
    folder = _settings().runtime.log_dir
    return None if folder is None else str(folder)


def _catalog(settings: Any) -> Any:
    return import_module("las_jupyter.manifests.catalog").load_catalog(settings)


def _module_row(entry: Any) -> ModuleRow:
    manifest = entry.manifest
    return ModuleRow(
        manifest.name,
        manifest.version,
        tuple(str(mode) for mode in manifest.runtime.modes),
        manifest.category,
        entry.origin,
        entry.trusted,
        "",
        manifest.description,
    )
