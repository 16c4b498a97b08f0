"""
The real rooms behind the stack.

Settings, catalog and state folder are read anew at every call: a person who edits a file or the environment in a
running notebook sees the change at the next verb.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from las_jupyter.core.advice import word
from las_jupyter.core.request import Comparison, StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.manifests.catalog import Entry, load_catalog
from las_jupyter.models.fetch import NeedsDownload, fetch, locate
from las_jupyter.models.named import NAMED_MODELS
from las_jupyter.models.reference import parse
from las_jupyter.planning.compare import side, side_by_side
from las_jupyter.planning.plan import decide
from las_jupyter.policy.load import SITE_FILE
from las_jupyter.resources import machine
from las_jupyter.runtime.manager import Manager as RuntimeManager
from las_jupyter.settings.load import LoadedSettings, load_settings
from las_jupyter.stack.doctor import doctor
from las_jupyter.stack.images import with_image
from las_jupyter.stack.rooms import Manager, ModuleRow, OnBytes, SettingRow
from las_jupyter.stack.strangers import Stranger, find_stranger
from las_jupyter.stack.survey import survey
from las_jupyter.stack.trusting import TrustedFile, give_trust, take_trust, trusted_files
from las_jupyter.stack.ways import container_engine, ways
from las_jupyter.state.paths import StatePaths, default_paths


@functools.lru_cache(maxsize=8)
def _manager(paths: StatePaths) -> RuntimeManager:
    return RuntimeManager(paths)


class House:
    """``Rooms`` as they really are."""

    @property
    def manager(self) -> Manager:
        return _manager(_paths(load_settings()))

    def plan(self, request: StartRequest) -> StartPlan:
        settings = load_settings()
        world = survey(request, settings, load_catalog(settings), _manager(_paths(settings)))
        return _told(with_image(decide(request, world), world.state_dir), settings)

    def compare(self, request: StartRequest) -> Comparison:
        settings = load_settings()
        world = survey(request, settings, load_catalog(settings), _manager(_paths(settings)))
        sides = (side(request, world, mode) for mode in Mode)
        told = tuple(
            each._replace(plan=_told(with_image(each.plan, world.state_dir), settings)) if each.plan else each
            for each in sides
        )
        return side_by_side(request, world.entry.manifest.name, told, world.keepers)

    def fetch(self, plan: StartPlan, on_bytes: OnBytes) -> bool:
        if not plan.downloads or plan.spec.model is None:
            return False
        reference = parse(plan.spec.model)
        cache = load_settings().models.cache_dir
        if not isinstance(locate(reference, cache), NeedsDownload):
            return False
        fetch(reference, cache, lambda at: on_bytes(f"{reference.short_name} ({at.doing})", at.done, at.total))
        return True

    def modules(self) -> list[ModuleRow]:
        settings = load_settings()
        engine = container_engine(settings)
        gpu = bool(machine.gpus())
        catalog = load_catalog(settings)
        return [
            _module_row(entry, ways(entry, settings, engine, gpu=gpu), gpu=gpu, shadow=catalog.is_shadow(entry))
            for entry in catalog.entries
        ]

    def broken_manifests(self) -> list[str]:
        return [" ".join(problem.lines()[:2]) for problem in load_catalog(load_settings()).problems]

    def stranger(self, module: str, port: int | None, *, foreign: bool = False) -> Stranger:
        settings = load_settings()
        ours = _manager(_paths(settings)).claims.taken(but="")
        return find_stranger(load_catalog(settings).find(module), port, ours, foreign=foreign)

    def models(self) -> list[str]:
        return sorted(NAMED_MODELS)

    def settings(self) -> list[SettingRow]:
        return [SettingRow(key, str(value), source) for key, value, source in load_settings().explain()]

    def settings_notes(self) -> list[str]:
        site = [f"{SITE_FILE} holds for everybody on this machine"] if os.path.lexists(SITE_FILE) else []
        return [*(each.text for each in load_settings().ignored), *site]

    def trust(self, path: str) -> str:
        return give_trust(path)

    def revoke(self, path: str) -> str:
        return take_trust(path)

    def trusted(self) -> tuple[TrustedFile, ...]:
        return trusted_files()

    def doctor(self) -> Any:
        return doctor()


def _told(plan: StartPlan, settings: LoadedSettings) -> StartPlan:
    """With a warning for each file of settings that does not count."""
    return plan._replace(warnings=(*plan.warnings, *(each.text for each in settings.ignored)))


def _paths(settings: LoadedSettings) -> StatePaths:
    folder = settings.runtime.log_dir
    return default_paths(None if folder is None else str(folder))


def _module_row(entry: Entry, here: tuple[str, ...], *, gpu: bool, shadow: bool) -> ModuleRow:
    manifest = entry.manifest
    return ModuleRow(
        manifest.name,
        manifest.version,
        tuple(manifest.runtime.modes),
        manifest.category,
        entry.origin,
        entry.trusted,
        _in_the_way(entry, gpu=gpu, shadow=shadow),
        manifest.description,
        here,
    )


def _in_the_way(entry: Entry, *, gpu: bool, shadow: bool) -> str:
    """What keeps a module from being started at all, by its name, or in one of its modes; empty when nothing does."""
    if shadow:
        name = entry.manifest.name
        why = f"not by this name, which is another's: {entry.standing}"
        return f"{why}; %las start {word(entry.path.absolute())} --name {word(f'{name}-2')}"
    missing = [entry.manifest.missing(mode) for mode in (Mode.NATIVE, Mode.CONTAINER)]
    if all(missing):
        return f"no: {missing[0]}"
    if lower.needs(entry.manifest).gpu and not gpu:
        return "no: it needs a GPU, and none answers here"
    if not entry.trusted and missing[0] is None:
        return f"not natively: {entry.standing}; %las trust {word(entry.path.absolute())}"
    return ""
