"""
The file of the project somebody works in: the nearest ``las.toml``, or ``[tool.las]`` of ``pyproject.toml``.

It lies wherever people work, so it is the one file of settings that a stranger may have written: in a folder that is
shared, or by way of a repository. One that others could have written counts for nothing, and one that is ours chooses
no program, folder or rule until ``%las trust`` pinned what it says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidSettings
from las_jupyter.settings.files import Layer, parse_toml, table, unreadable
from las_jupyter.settings.own import user_file
from las_jupyter.settings.pins import changes, content_hash, pin, pins
from las_jupyter.settings.powers import without_power
from las_jupyter.settings.yaml_file import LARGEST
from las_jupyter.state.custody import Fault, fault_of, read_judged
from las_jupyter.state.files import read_plain

NAMES = ("las.toml", "pyproject.toml")
"""The files that a project may say it in, the first of a folder counts."""
_SHOWN = 4


class Ignored(NamedTuple):
    """What does not count though it is written in ``file``: the ``keys``, all of them where none is named, and why."""

    file: str
    keys: tuple[str, ...]
    why: str
    remedy: str

    @property
    def text(self) -> str:
        """The sentence."""
        shown = [word(key) for key in self.keys[:_SHOWN]]
        more = [f"{len(self.keys) - _SHOWN} more"] if len(self.keys) > _SHOWN else []
        *first, last = [*shown, *more] or ["all"]
        what = f"{', '.join(first)} and {last}" if first else last
        return f"{what} of {self.file} {'are' if first else 'is'} ignored: {self.why} → {self.remedy}"


class Project(NamedTuple):
    """The layer of a project, where one is found and counts, and what of it does not."""

    layer: Layer | None = None
    ignored: tuple[Ignored, ...] = ()


def find_project(start: Path) -> Project:
    """The file nearest above ``start``; one of somebody else ends the search too. Raises ``InvalidSettings``."""
    own = user_file()
    for folder in (start, *start.parents):
        for path in (folder / name for name in NAMES):
            found = _project(path) if _is_file(path) and path != own else None
            if found is not None:
                return found
    return Project()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that we may not look into
        return False


def _project(path: Path) -> Project | None:
    try:
        data, fault = read_judged(str(path), LARGEST)
    except OSError as error:
        fault = fault_of(str(path))
        if fault is None:
            raise unreadable(path, error) from error
        return _left_out(path, fault) if path.name == "las.toml" else None
    if fault is not None:
        return _of_others(path, data, fault)
    values = _values(path, data)
    return None if values is None else _counting(path, values)


def _of_others(path: Path, data: bytes, fault: Fault) -> Project | None:
    """It may say anything and be anything, and is read only to know whether it speaks to us."""
    try:
        values = _values(path, data)
    except InvalidSettings:
        values = {} if path.name == "las.toml" else None
    if values is None:
        return None
    return Project(Layer(_source(path), values)) if _unpinned(path, values) is None else _left_out(path, fault)


def _left_out(path: Path, fault: Fault) -> Project:
    where = "" if fault.path == str(path) else f"{fault.path}: "
    return Project(None, (Ignored(_source(path), (), f"{where}{fault.why}", _how_to_trust(path)),))


def _how_to_trust(path: Path) -> str:
    """Never the command alone: somebody else may have written the file, for whoever copies what stands there."""
    return f"read the file, then %las trust {word(path)}"


def _counting(path: Path, values: dict[str, Any]) -> Project:
    harmless, taken_out = without_power(values)
    if not taken_out:
        return Project(Layer(_source(path), values))
    lacking = _unpinned(path, values)
    if lacking is None:
        return Project(Layer(_source(path), values))
    return Project(
        Layer(_source(path), harmless),
        (Ignored(_source(path), taken_out, lacking, _how_to_trust(path)),),
    )


def _unpinned(path: Path, values: dict[str, Any]) -> str | None:
    """Why what the file says is not what was trusted, as a clause; None when it is."""
    known = pins().get(str(path.resolve()))
    if known is None:
        return "you have not trusted the file"
    now = _written(values)
    if content_hash(now) == known.content_hash:
        return None
    return f"it was changed since you trusted it: {'; '.join(changes(known.text, now.decode())[:3])}"


def why_unpinned(path: Path) -> str | None:
    """Why ``path`` is not what was trusted, as a clause; None when it is. Raises ``InvalidSettings``."""
    values = _read(path)
    return "it says nothing to us any more" if values is None else _unpinned(path, values)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return _values(path, read_plain(str(path), LARGEST))
    except OSError as error:
        raise unreadable(path, error) from error


def _values(path: Path, data: bytes) -> dict[str, Any] | None:
    """What the file says to us; None when nothing."""
    if path.name != "pyproject.toml":
        return parse_toml(path, data)
    content = parse_toml(path, data, mentioning=b"las")
    tool = None if content is None else content.get("tool")
    return table(tool["las"], _source(path)) if isinstance(tool, dict) and "las" in tool else None


def _source(path: Path) -> str:
    return f"{path} [tool.las]" if path.name == "pyproject.toml" else str(path)


def _written(values: dict[str, Any]) -> bytes:
    """What is pinned: the settings and nothing else, so that a new comment or another table takes no new trust."""
    return json.dumps(values, indent=1, sort_keys=True, default=str).encode()


def trust_project(path: str | Path) -> str:
    """Pin what ``path`` says now; the sentence that says so. Raises ``InvalidSettings``."""
    file = Path(path).expanduser().resolve()
    if file == user_file().resolve():
        raise InvalidSettings(f"{file} is your own and needs no trust.", remedy="%las config")
    values = _read(file)
    if values is None:
        raise InvalidSettings(f"{file} says nothing to us.", cause="it has no table [tool.las]", remedy="%las config")
    pinned = pin(file, _written(values))
    _, powerful = without_power(values)
    count = "count" if len(powerful) > 1 else "counts"
    what = f"{', '.join(powerful)} of {file} {count}" if powerful else f"what {file} says counts"
    return f"{what} as long as its settings stay as they are ({pinned[:19]}…)."
