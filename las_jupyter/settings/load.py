"""
Settings from all their sources.

Argument > environment (``LAS_JUPYTER_RUNTIME__DEFAULT_MODE``) > project file > user file > default.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidSettings
from las_jupyter.settings.files import Layer, own_layers
from las_jupyter.settings.freshness import fingerprint
from las_jupyter.settings.project import Ignored, find_project

if TYPE_CHECKING:
    from las_jupyter.settings.model import Settings

_PREFIX = "LAS_JUPYTER_"
_NO_SETTINGS = frozenset({"state_dir", "mark"})
"""
Words with our prefix that are no settings: the state folder must be known before any file is read, and the mark is how
the processes of a server are told, of which a kernel may be one.
"""


class SettingLine(NamedTuple):
    """One setting as ``%las config`` shows it."""

    key: str
    value: Any
    source: str


class LoadedSettings:
    """The settings in force; its attributes are those of ``settings.model.Settings``."""

    def __init__(self, values: Settings, layers: list[Layer], ignored: tuple[Ignored, ...] = ()) -> None:
        self.values = values
        self.ignored = ignored
        self._layers = layers

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "values":
            raise AttributeError(name)
        return getattr(self.values, name)

    def source_of(self, key: str) -> str:
        """Where the value of ``key``, such as ``runtime.default_mode``, came from."""
        place = tuple(key.split("."))
        return next((layer.source for layer in self._layers if _holds(layer.values, place)), "default")

    def explain(self) -> list[SettingLine]:
        """Every setting with its value and source, and beside it the file whose word for it does not count."""
        flat = _flat(self.values.model_dump(mode="json"))
        return [SettingLine(".".join(place), value, self._source(place)) for place, value in flat.items()]

    def _source(self, place: tuple[str, ...]) -> str:
        source = next((layer.source for layer in self._layers if _holds(layer.values, place)), "default")
        passed = [each.file for each in self.ignored if ".".join(place) in each.keys]
        return f"{source} (ignored: {passed[0]})" if passed else source


def load_settings(start_dir: str | Path | None = None, **overrides: Any) -> LoadedSettings:
    """
    The settings in force for somebody who works in ``start_dir`` (the current folder).

    ``overrides`` are groups, as ``runtime={"native_enabled": False}``. Read once for each change of what they are read
    from. Raises ``InvalidSettings`` naming every bad field.
    """
    start = os.path.realpath(start_dir or Path.cwd())
    now = None if overrides else fingerprint(start, _PREFIX)
    with _remembering:
        if now is not None and now.parts in _remembered:
            return _remembered[now.parts]
    loaded = _load(Path(start), overrides)
    if now is not None and now.settled:
        with _remembering:
            _remembered.clear()
            _remembered[now.parts] = loaded
    return loaded


_remembered: dict[tuple[Any, ...], LoadedSettings] = {}
"""The last ones, by their fingerprint. One is enough: whoever changes folders in a kernel stays there for a while."""
_remembering = threading.Lock()


def _load(start: Path, overrides: dict[str, Any]) -> LoadedSettings:
    from pydantic import ValidationError

    model = _model()
    layers = [Layer("argument", overrides)] if overrides else []
    layers.append(Layer("environment", _environment()))
    project = find_project(start)
    layers += [*([project.layer] if project.layer else []), *own_layers()]
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _merge(merged, layer.values)
    try:
        return LoadedSettings(model.model_validate(merged), layers, project.ignored)
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
    """The variables that begin with our prefix, one that is no setting included: it will be complained about."""
    from pydantic_settings import EnvSettingsSource, SettingsError

    from las_jupyter.settings.model import Settings

    try:
        found = {key: value for key, value in EnvSettingsSource(Settings)().items() if value is not None}
    except SettingsError as error:
        cause = str(error.__cause__ or error)
        raise InvalidSettings(
            "A setting in the environment cannot be read.",
            cause=f"{error}: {cause}",
            remedy=f"write one value a variable, as {_PREFIX}RUNTIME__DEFAULT_MODE=native",
        ) from None
    for name, value in os.environ.items():
        first = name.removeprefix(_PREFIX).lower().split("__")[0]
        if name.startswith(_PREFIX) and first not in Settings.model_fields.keys() | _NO_SETTINGS:
            found[first or name] = value
    return found


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _flat(values: dict[str, Any], before: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(_flat(value, (*before, key)))
        else:
            flat[(*before, key)] = value
    return flat


def _explained(error: Any, layers: list[Layer]) -> InvalidSettings:
    from las_jupyter.settings.complaints import complaints

    told, cures = [], []
    for each in complaints(error, _model()):
        source = next((layer.source for layer in layers if _holds(layer.values, each.at)), "default")
        told.append(f"{each.field} ({source}): {each.text}")
        variable = _variable(each.at)
        cure = {"environment": f"unset {word(variable)}, or correct it", "argument": "correct the argument"}
        cures.append(cure.get(source, f"mend {word(source)}"))
    count = "A setting cannot" if len(told) == 1 else f"{len(told)} settings cannot"
    return InvalidSettings(f"{count} be used.", cause=told[0], details=tuple(told[1:]), remedy=cures[0])


def _variable(at: tuple[Any, ...]) -> str:
    """The variable that a setting of the environment came from, as it is really called."""
    name = _PREFIX + "__".join(str(part).upper() for part in at)
    return next((each for each in os.environ if each.upper() == name or each.upper().startswith(f"{name}__")), name)


def _holds(values: Any, place: tuple[Any, ...]) -> bool:
    for part in place:
        if isinstance(values, list) and isinstance(part, int):
            return part < len(values)
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True
