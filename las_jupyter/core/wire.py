"""
Named tuples to JSON data and back.

``from_data`` ignores fields it does not know and fills missing ones from their defaults, so that an older
supervisor and a newer client understand each other. A wrong type raises ``ValueError`` naming the field.
"""

from __future__ import annotations

import json
import types
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_LARGEST = 10**300
_ENDLESS = float("inf")
_HINTS: dict[type, dict[str, Any]] = {}


def to_data(value: Any) -> Any:
    """``value`` as JSON data: named tuples become objects, tuples become arrays, enums their value."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        fields: tuple[str, ...] | None = getattr(value, "_fields", None)
        if fields is None:
            return [to_data(item) for item in value]
        return {name: to_data(item) for name, item in zip(fields, value, strict=True)}
    if isinstance(value, dict):
        return {key: to_data(item) for key, item in value.items()}
    return value


def to_json(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(to_data(value), ensure_ascii=False, separators=(",", ":"))


def to_line(value: Any) -> bytes:
    """One line of JSON as UTF-8 with its line end. Bytes of file names that are no text come as JSON's own escapes."""
    return to_json(value).encode(errors="backslashreplace") + b"\n"


def from_json(cls: type[T], text: str | bytes) -> T:
    """The value of ``cls`` in one line of JSON. Raises ``ValueError``."""
    return from_data(cls, json.loads(text))


def from_data(cls: type[T], data: Any) -> T:
    """The value of ``cls`` that ``data`` describes. Raises ``ValueError``."""
    built: T = _build(cls, data, cls.__name__)
    return built


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = get_type_hints(cls)
    return _HINTS[cls]


def _build(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin is Union or origin is types.UnionType:
        return _build_union(get_args(kind), data, where)
    if origin is tuple:
        return _build_tuple(get_args(kind), data, where)
    if origin is dict:
        if not isinstance(data, dict):
            raise ValueError(f"{where} is not an object")
        item = get_args(kind)[1]
        return {str(key): _build(item, value, f"{where}.{key}") for key, value in data.items()}
    if kind is Any:
        return data
    if isinstance(kind, type) and hasattr(kind, "_fields"):
        return _build_named(kind, data, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError:
            raise ValueError(f"{where} cannot be {data!r}") from None
    return _build_scalar(kind, data, where)


def _build_scalar(kind: Any, data: Any, where: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        data = float(data) if abs(data) < _LARGEST else _ENDLESS
    if isinstance(data, float) and not -_ENDLESS < data < _ENDLESS:
        raise ValueError(f"{where} is no number")
    if kind is type(None):
        kind = types.NoneType
    if type(data) is not kind:
        raise ValueError(f"{where} is {type(data).__name__}, not {getattr(kind, '__name__', kind)}")
    return data


def _build_named(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is not an object")
    hints = _hints(kind)
    given = {name: _build(hints[name], data[name], f"{where}.{name}") for name in kind._fields if name in data}
    missing = [name for name in kind._fields if name not in given and name not in kind._field_defaults]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return kind(**given)


def _build_tuple(items: tuple[Any, ...], data: Any, where: str) -> Any:
    if not isinstance(data, list):
        raise ValueError(f"{where} is not an array")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_build(items[0], value, f"{where}[{index}]") for index, value in enumerate(data))
    if len(items) != len(data):
        raise ValueError(f"{where} has {len(data)} entries, not {len(items)}")
    return tuple(
        _build(item, value, f"{where}[{index}]") for index, (item, value) in enumerate(zip(items, data, strict=True))
    )


def _build_union(members: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in members:
        return None
    choices = [member for member in members if member is not type(None)]
    if isinstance(data, dict) and "kind" in data:
        for member in choices:
            if getattr(member, "_field_defaults", {}).get("kind") == data["kind"]:
                return _build(member, data, where)
        raise ValueError(f"{where}.kind cannot be {data['kind']!r}")
    problem: ValueError | None = None
    for member in choices:
        try:
            return _build(member, data, where)
        except ValueError as error:
            problem = problem or error
    raise problem or ValueError(f"{where} cannot be {data!r}")
