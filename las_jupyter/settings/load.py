"""
Settings from all their sources.

Argument > environment (``LAS_JUPYTER_RUNTIME__DEFAULT_MODE``) > project file > user file > default.
"""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from las_jupyter.core.errors import InvalidSettings
from las_jupyter.settings.files import Layer, file_layers

if TYPE_CHECKING:
    from las_jupyter.settings.model import Settings


class SettingLine(NamedTuple):
    """One setting as ``%las config`` shows it."""

    key: str
    value: Any
    source: str


class LoadedSettings:
    """The settings in force; its attributes are those of ``settings.model.Settings``."""

    def __init__(self, values: Settings, layers: list[Layer]) -> None:
        self.values = values
        self._layers = layers

    def __getattr__(self, name: str) -> Any:
        return getattr(self.values, name)

    def source_of(self, key: str) -> str:
        """Where the value of ``key``, such as ``runtime.default_mode``, came from."""
        for layer in self._layers:
            if key in _flat(layer.values):
                return layer.source
        return "default"

    def explain(self) -> list[SettingLine]:
        """Every setting with its value and source."""
        flat = _flat(self.values.model_dump(mode="json"))
        return [SettingLine(key, value, self.source_of(key)) for key, value in flat.items()]


def load_settings(start_dir: str | Path | None = None, **overrides: Any) -> LoadedSettings:
    """
    The settings in force for somebody who works in ``start_dir`` (the current folder).

    ``overrides`` are groups, as ``runtime={"native_enabled": False}``. Raises ``InvalidSettings``
    naming every bad field.
    """
    from pydantic import ValidationError

    model = _model()
    layers = [Layer("argument", overrides)] if overrides else []
    layers.append(Layer("environment", _environment()))
    layers.extend(file_layers(Path(start_dir or Path.cwd()).resolve()))
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _merge(merged, layer.values)
    try:
        return LoadedSettings(model.model_validate(merged), layers)
    except ValidationError as error:
        raise _explained(error, layers) from None


@lru_cache(maxsize=1)
def _model() -> type[Settings]:
    from las_jupyter.settings.model import Settings

    class Plain(Settings):
        """Without sources of its own: they are merged here, so that each value's source stays known."""

        @classmethod
        def settings_customise_sources(  # type: ignore[override]
            cls, _settings_cls: Any, init_settings: Any, **_: Any
        ) -> Any:
            return (init_settings,)

    return Plain


def _environment() -> dict[str, Any]:
    from pydantic_settings import EnvSettingsSource

    from las_jupyter.settings.model import Settings

    try:
        return {key: value for key, value in EnvSettingsSource(Settings)().items() if value is not None}
    except Exception as error:  # a value that should be JSON and is not
        raise InvalidSettings("A setting in the environment cannot be read.", cause=str(error)) from error


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _explained(error: Any, layers: list[Layer]) -> InvalidSettings:
    known = [line.key for line in LoadedSettings(_model()(), []).explain()]
    details = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        source = next((layer.source for layer in layers if _holds(layer.values, problem["loc"])), "default")
        told = f"{key} ({source}): {problem['msg'].removeprefix('Value error, ')}"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, 1)
            told = f"{key} ({source}): there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
        details.append(told)
    count = "A setting cannot" if len(details) == 1 else f"{len(details)} settings cannot"
    return InvalidSettings(f"{count} be used.", details=tuple(details), remedy="%las config shows all of them")


def _holds(values: Any, loc: tuple[Any, ...]) -> bool:
    for part in loc:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True
