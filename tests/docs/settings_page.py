"""The rows of docs/settings.md, made from the settings themselves; ``scripts/refresh-docs`` writes them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from las_jupyter.settings.model import Settings

Row = tuple[str, str, str]
"""The key, its default as one writes it, and what it means."""


def rows(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Row]:
    """Every setting, depth first in the order of the source."""
    for name, field in model.model_fields.items():
        group = _group(field.annotation)
        if group is not None:
            yield from rows(group[0], f"{prefix}{name}.{group[1]}")
        else:
            yield f"{prefix}{name}", _default(field.default), field.description or ""


def _group(kind: Any) -> tuple[type[BaseModel], str] | None:
    if get_origin(kind) is dict and issubclass(get_args(kind)[1], BaseModel):
        return get_args(kind)[1], "MODULE."
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, ""
    return None


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, enum.Enum):
        value = value.value
    return f"`{value}`"


def lines() -> list[str]:
    """The table as it stands in the page."""
    return [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in rows()]
