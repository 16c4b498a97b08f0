"""What pydantic found wrong, in our words: the field, the nearest valid word, and never its own jargon."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple, get_args

Place = tuple[str | int, ...]


class Complaint(NamedTuple):
    """Where, and what is wrong there, as a clause."""

    at: Place
    text: str

    @property
    def field(self) -> str:
        """``at`` as people write it: ``ports[0].default``."""
        text = ""
        for part in self.at:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
        return text or "the file"


def complaints(error: Any, model: Any) -> list[Complaint]:
    """Every error of a ``ValidationError`` of ``model``, one a field."""
    found: dict[Place, Complaint] = {}
    for problem in error.errors(include_url=False):
        at = _own_parts(model, tuple(problem["loc"]))
        found.setdefault(at, Complaint(at, _say(problem, model, at)))
    return list(found.values())


def _say(problem: Any, model: Any, at: Place) -> str:
    kind, value, context = problem["type"], problem.get("input"), problem.get("ctx", {})
    if kind == "extra_forbidden":
        return "there is no such key" + did_you_mean(str(at[-1]), words_at(model, at[:-1]))
    if kind == "missing":
        return "it is missing"
    if kind in ("enum", "literal_error"):
        words = [str(word) for word in _choices(model, at)] or [str(context.get("expected", ""))]
        return f"{_short(value)} is not one of {', '.join(words)}" + did_you_mean(str(value), words)
    if kind == "value_error":
        return str(context.get("error", problem["msg"]))
    if kind == "string_pattern_mismatch":
        return f"{_short(value)} is not written as {context['pattern']}"
    if kind == "recursion_loop":
        return "it refers to itself"
    expected = _EXPECTED.get(kind)
    if expected:
        return f"{_short(value)} is not {expected}"
    return f"{_short(value)}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


_EXPECTED = {
    "string_type": "text; quote it if it is meant as text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "a table of keys and values",
    "model_type": "a table of keys and values",
    "model_attributes_type": "a table of keys and values",
    "path_type": "a path",
}


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def did_you_mean(word: str, words: list[str]) -> str:
    """``; did you mean X?`` for the nearest of ``words``, or the words there are."""
    near = difflib.get_close_matches(word.lower(), words, 1, 0.55)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(words)}" if 0 < len(words) <= 12 else ""


def words_at(model: Any, at: Place) -> list[str]:
    """The keys that are valid at ``at`` in ``model``."""
    fields = getattr(_kind_at(model, at), "model_fields", None)
    return list(fields) if fields else []


def _choices(model: Any, at: Place) -> list[Any]:
    kind = _annotation_at(model, at)
    for each in _unfold(kind):
        if isinstance(each, type) and issubclass(each, Enum):
            return [member.value for member in each]
        if getattr(each, "__origin__", None) is not None and "Literal" in str(each.__origin__):
            return list(get_args(each))
    return []


def _own_parts(model: Any, loc: Place) -> Place:
    """``loc`` without the names that pydantic adds for the members of a union and for keys of a table."""
    kept: list[str | int] = []
    kind: Any = model
    for part in loc:
        inner = _step(kind, part)
        if inner is None and kind is not None and not any(hasattr(each, "model_fields") for each in _unfold(kind)):
            continue
        kept.append(part)
        kind = inner
    return tuple(kept)


def _kind_at(model: Any, at: Place) -> Any:
    kind = _annotation_at(model, at)
    return next((each for each in _unfold(kind) if hasattr(each, "model_fields")), None)


def _annotation_at(model: Any, at: Place) -> Any:
    kind: Any = model
    for part in at:
        kind = _step(kind, part)
        if kind is None:
            return None
    return kind


def _step(kind: Any, part: str | int) -> Any:
    for each in _unfold(kind):
        fields = getattr(each, "model_fields", None)
        if fields is not None and part in fields:
            return fields[part].annotation
        arguments = get_args(each)
        origin = getattr(each, "__origin__", None)
        if origin is dict and part != "[key]":
            return arguments[1]
        if origin is list and isinstance(part, int):
            return arguments[0]
    return None


def _unfold(kind: Any) -> Iterator[Any]:
    """``kind`` and the members of unions and ``Annotated`` in it."""
    import types
    from typing import Annotated, Union, get_origin

    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        for each in get_args(kind):
            yield from _unfold(each)
    elif origin is Annotated:
        yield from _unfold(get_args(kind)[0])
    elif kind is not None:
        yield kind
