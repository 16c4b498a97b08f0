"""
What can be set. The keys under ``runtime`` are LocalAIStack's, so its ``config.yaml`` loads as it is.

Each field's description is its documentation: ``docs/settings.md`` is compared with it by a test.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from las_jupyter.core.quantities import parse_duration, parse_size
from las_jupyter.core.states import LogCapture, Mode, RestartPolicy

_LARGEST = 2**60
_LONGEST = 366 * 86400.0


def _size(value: object) -> object:
    if isinstance(value, str):
        value = parse_size(value)
    if isinstance(value, int) and not isinstance(value, bool) and value > _LARGEST:
        raise ValueError("that is more than any machine has")
    return value


def _seconds(value: object) -> object:
    if isinstance(value, str):
        value = parse_duration(value)
    if isinstance(value, (int, float)) and not value <= _LONGEST:
        raise ValueError("that is longer than a year")
    return value


def _home(path: object) -> object:
    if not isinstance(path, str):
        return path
    if "\0" in path:
        raise ValueError("a path cannot hold a NUL")
    try:
        return Path(path).expanduser() if path else None
    except RuntimeError as error:
        raise ValueError(f"{path!r} names a home that is not there") from error


def _paths(value: object) -> object:
    """A list, or as in PATH: one text with a colon between two."""
    parts = [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value
    return [_home(part) for part in parts] if isinstance(parts, list) else parts


Size = Annotated[int, BeforeValidator(_size)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Place = Annotated[Path | None, BeforeValidator(_home)]
Places = Annotated[list[Path], NoDecode, BeforeValidator(_paths)]


class ContainerEngine(StrEnum):
    """Which container engine to use; ``auto`` takes the first that answers."""

    AUTO = "auto"
    DOCKER = "docker"
    PODMAN = "podman"


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RuntimeSettings(_Group):
    """How modules are run."""

    default_mode: Mode | None = Field(None, description="mode when neither the user nor the manifest prefers one")
    docker_enabled: bool = Field(default=True, description="whether container execution is allowed at all")
    native_enabled: bool = Field(default=True, description="whether native execution is allowed at all")
    log_dir: Place = Field(None, description="where logs are kept; by default below the state folder")
    container_engine: ContainerEngine = Field(ContainerEngine.AUTO, description="auto, docker or podman")


class ModelSettings(_Group):
    """Where models are kept."""

    cache_dir: Place = Field(None, description="where fetched models are kept; by default the user's cache folder")


class ManifestSettings(_Group):
    """Where manifests are looked for besides the bundled ones."""

    paths: Places = Field([], description="folders or files with manifests of your own")


class EngineSettings(_Group):
    """Where the program of one module is."""

    path: Place = Field(None, description="the program itself")
    python: Place = Field(None, description="the Python whose environment holds it")


class LogSettings(_Group):
    """Bounds of the logs of each instance."""

    start_bytes: Size = Field(256 * 2**20, ge=64 * 2**10, description="bytes kept of one start")
    keep_starts: int = Field(10, ge=1, description="starts whose log is kept")
    total_bytes: Size = Field(2**30, ge=64 * 2**10, description="bytes kept of one instance altogether")
    capture: LogCapture = Field(
        LogCapture.AUTO,
        description="direct: a native module writes its log itself; pump: a process does; auto: as can be trimmed",
    )


class RestartSettings(_Group):
    """Whether the supervisor starts a module again by itself."""

    policy: RestartPolicy = Field(RestartPolicy.NO, description="no, on-failure or always")
    first: Seconds = Field(2.0, gt=0, description="the first wait; each further one is doubled")
    cap: Seconds = Field(60.0, gt=0, description="the longest wait")
    max_tries: int = Field(5, ge=0, description="restarts before it is given up")
    reset_after: Seconds = Field(600.0, gt=0, description="a run this long makes the count begin again")


class LimitSettings(_Group):
    """Bounds for every instance that names none of its own."""

    memory: Size | None = Field(None, gt=0, description="memory of the whole process tree")
    cpus: float | None = Field(None, gt=0, description="processor cores")
    pids: int | None = Field(None, gt=0, description="processes and threads")


class Settings(BaseSettings):
    """All of it. Sizes are written like ``24GB`` or ``512MiB``, durations like ``15s`` or ``2m``."""

    model_config = SettingsConfigDict(
        env_prefix="LAS_JUPYTER_", env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    runtime: RuntimeSettings = RuntimeSettings()
    models: ModelSettings = ModelSettings()
    manifests: ManifestSettings = ManifestSettings()
    engines: dict[str, EngineSettings] = Field({}, description="by module: where its program is")
    logs: LogSettings = LogSettings()
    restart: RestartSettings = RestartSettings()
    limits: LimitSettings = LimitSettings()
    policy_file: Place = Field(None, description="a policy file that every plan must satisfy")
