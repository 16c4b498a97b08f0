"""Reading a manifest file; what is wrong is named by file, line, field and the nearest valid word."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from las_jupyter.core.errors import InvalidManifest

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest

_LARGEST = 1 << 20


def load_manifest(path: str | Path) -> Manifest:
    """The manifest in ``path``. Raises ``InvalidManifest``."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidManifest(f"{path} cannot be read.", cause=error.strerror, remedy="%las modules") from error
    return parse_manifest(data, str(path))


def parse_manifest(data: bytes, path: str) -> Manifest:
    """The manifest in ``data``; ``path`` is for the error. Raises ``InvalidManifest``."""
    from pydantic import ValidationError

    from las_jupyter.manifests.schema import Manifest

    content = _yaml(data, path)
    if not isinstance(content, dict):
        raise InvalidManifest(f"{path} is no manifest.", cause="the file is not a mapping of keys to values")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise _explained(error, data, path) from None


def _yaml(data: bytes, path: str) -> Any:
    import yaml

    if len(data) > _LARGEST:
        raise InvalidManifest(f"{path} is no manifest.", cause="it is larger than 1 MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(data, loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        cause = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InvalidManifest(f"{path}{where} is not YAML.", cause=cause) from None


def _explained(error: Any, data: bytes, path: str) -> InvalidManifest:
    from las_jupyter.manifests.schema import Manifest

    lines = _lines(data)
    told = []
    for problem in error.errors():
        loc = tuple(problem["loc"])
        field = ".".join(str(part) for part in loc) or "the file"
        line = next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), 1)
        text = problem["msg"].removeprefix("Value error, ").lower()
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(loc[-1]), _siblings(Manifest, loc), 1)
            text = "there is no such key" + (f"; did you mean {near[0]}?" if near else "")
        elif problem["type"] == "missing":
            text = "it is missing"
        told.append(f"line {line}, {field}: {text}")
    return InvalidManifest(
        f"{path} breaks the manifest schema.", cause=told[0], details=tuple(told[1:]), remedy=f"mend {path}"
    )


def _lines(data: bytes) -> dict[tuple[Any, ...], int]:
    """The line of every key and entry, by its path."""
    import yaml

    found: dict[tuple[Any, ...], int] = {}

    def walk(node: Any, path: tuple[Any, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place = (*path, key.value)
                found[place] = key.start_mark.line + 1
                walk(value, place)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                found[(*path, index)] = value.start_mark.line + 1
                walk(value, (*path, index))

    root = yaml.compose(data, yaml.SafeLoader)
    if root is not None:
        walk(root, ())
    return found


def _siblings(model: Any, loc: tuple[Any, ...]) -> list[str]:
    """The valid words where ``loc`` ends."""
    from pydantic import BaseModel

    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:
            return []
        choices = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)
