"""Settings in files: the user's ``las.toml``, and LocalAIStack's ``config.yaml``."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidSettings
from las_jupyter.settings.own import read_own
from las_jupyter.settings.own import user_file as user_file
from las_jupyter.settings.yaml_file import LARGEST, Unreadable, parse_yaml

UPSTREAM_ONLY = frozenset({"server", "logging", "control", "storage", "llm", "i18n"})
"""Sections of LocalAIStack's own config.yaml that mean nothing here, but for the keys in ``_TAKEN_OVER``."""

_TAKEN_OVER: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("storage", "model_dir", ("models", "cache_dir")),
    ("control", "policy_file", ("policy_file",)),
)


class Layer(NamedTuple):
    """Settings of one source, and its name for people."""

    source: str
    values: dict[str, Any]


def own_layers() -> list[Layer]:
    """
    The user's files, those that exist, the one that outranks the other first.

    Raises ``InvalidSettings``, also for one that others could have written.
    """
    home = user_file()
    return [_own_layer(path) for path in (home, home.with_name("config.yaml")) if _is_file(path)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a home that is another's, as su and sudo may leave it
        raise unreadable(path, error) from error


def _own_layer(path: Path) -> Layer:
    try:
        data = read_own(path, LARGEST)
    except OSError as error:
        raise unreadable(path, error) from error
    return Layer(str(path), _upstream(path, data) if path.suffix == ".yaml" else parse_toml(path, data) or {})


def unreadable(path: Path, error: OSError) -> InvalidSettings:
    """The sentence for a file of settings that cannot be read."""
    remedy = f"chmod u+r {word(path)}" if error.errno == errno.EACCES else f"ls -l {word(path)}"
    return InvalidSettings(f"{path} cannot be read.", cause=error.strerror, remedy=remedy)


def parse_toml(path: Path, data: bytes, mentioning: bytes = b"") -> dict[str, Any] | None:
    """
    What ``data`` of the file says; None where ``mentioning`` stands nowhere in it, and then it may be no TOML at all.

    Raises ``InvalidSettings`` naming the line.
    """
    if mentioning not in data:
        return None
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # A file that is not TOML, not UTF-8, or holds a number that Python refuses to read.
        raise InvalidSettings(
            f"{path} cannot be read as TOML.", cause=str(error), remedy=f"mend {word(path)}"
        ) from None


def table(value: Any, where: str) -> dict[str, Any]:
    """``value``, which must be one. Raises ``InvalidSettings``."""
    if isinstance(value, dict):
        return value
    raise InvalidSettings(f"{where} holds no settings.", cause="it is not a table of keys and values")


def _upstream(path: Path, data: bytes) -> dict[str, Any]:
    try:
        content = parse_yaml(data).content
    except Unreadable as problem:
        where = f", line {problem.line}," if problem.line else ""
        raise InvalidSettings(
            f"{path}{where} cannot be read as YAML.", cause=problem.reason, remedy=f"mend {word(path)}"
        ) from None
    return taken_over(table({} if content is None else content, str(path)))


def taken_over(content: dict[str, Any]) -> dict[str, Any]:
    """
    What LocalAIStack's ``config.yaml`` means here.

    Its paths below ``/var/lib`` belong to a server installation: one that is not on this machine, or that this user
    cannot write to, is no wish of this user and is left out.
    """
    taken: dict[str, Any] = {key: value for key, value in content.items() if key not in UPSTREAM_ONLY}
    runtime = taken.get("runtime")
    if isinstance(runtime, dict) and "log_dir" in runtime and not _usable(runtime["log_dir"]):
        taken["runtime"] = {key: value for key, value in runtime.items() if key != "log_dir"}
    for section, key, target in _TAKEN_OVER:
        there = content.get(section)
        value = there.get(key) if isinstance(there, dict) else None
        if isinstance(value, str) and _readable(value):
            _put(taken, target, value)
    return taken


def _put(taken: dict[str, Any], target: tuple[str, ...], value: str) -> None:
    """Set ``target`` to ``value`` unless the file says something of it in our own words."""
    *groups, name = target
    place = taken
    for group in groups:
        place[group] = dict(place[group]) if isinstance(place.get(group), dict) else {}
        place = place[group]
    place.setdefault(name, value)


def _usable(folder: object) -> bool:
    return isinstance(folder, str) and "\0" not in folder and os.access(folder, os.W_OK)


def _readable(path: str) -> bool:
    return "\0" not in path and os.access(path, os.R_OK)
