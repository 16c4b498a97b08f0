"""Settings in files: ``las.toml``, ``[tool.las]`` of ``pyproject.toml``, the user's, LocalAIStack's ``config.yaml``."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from las_jupyter.core.errors import InvalidSettings

UPSTREAM_IGNORED = frozenset({"server", "logging", "control", "storage", "llm", "i18n"})
"""Sections of LocalAIStack's own config.yaml that mean nothing here, but for the keys taken over below."""


class Layer(NamedTuple):
    """Settings of one source, and its name for people."""

    source: str
    values: dict[str, Any]


def user_file() -> Path:
    """``$XDG_CONFIG_HOME/las_jupyter/las.toml`` or the platform's like."""
    import platformdirs

    return Path(platformdirs.user_config_dir("las_jupyter", appauthor=False)) / "las.toml"


def file_layers(start: Path) -> list[Layer]:
    """The project's file (the nearest above ``start``), then the user's; those that exist."""
    layers = []
    project = _project_file(start)
    if project is not None:
        layers.append(project)
    home = user_file()
    own = (home, home.with_name("config.yaml"))
    return [*layers, *(Layer(str(path), read_file(path)) for path in own if path.is_file())]


def _project_file(start: Path) -> Layer | None:
    for folder in (start, *start.parents):
        own = folder / "las.toml"
        if own.is_file():
            return Layer(str(own), read_file(own))
        pyproject = folder / "pyproject.toml"
        if pyproject.is_file():
            tool = _toml(pyproject).get("tool", {})
            if "las" in tool:
                return Layer(f"{pyproject} [tool.las]", tool["las"])
    return None


def read_file(path: Path) -> dict[str, Any]:
    """The settings in one file. Raises ``InvalidSettings`` naming the line."""
    return _toml(path) if path.suffix == ".toml" else _upstream(path)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidSettings(f"{path} cannot be read.", cause=str(error), remedy=f"mend {path}") from error


def _upstream(path: Path) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InvalidSettings(f"{path} cannot be read.", cause=str(error), remedy=f"mend {path}") from error
    if not isinstance(data, dict):
        raise InvalidSettings(f"{path} holds no settings.", cause="the file is not a mapping")
    taken = {key: value for key, value in data.items() if key not in UPSTREAM_IGNORED}
    for section, key, group, name in (
        ("storage", "model_dir", "models", "cache_dir"),
        ("control", "policy_file", None, "policy_file"),
    ):
        value = (data.get(section) or {}).get(key)
        # A path of a server installation that is not on this machine is no wish of this user.
        if value and Path(value).exists():
            if group:
                taken.setdefault(group, {})[name] = value
            else:
                taken[name] = value
    if isinstance(taken.get("runtime"), dict) and not _usable(taken["runtime"].get("log_dir")):
        taken["runtime"] = {key: value for key, value in taken["runtime"].items() if key != "log_dir"}
    return taken


def _usable(folder: object) -> bool:
    return isinstance(folder, str) and os.access(folder, os.W_OK)
