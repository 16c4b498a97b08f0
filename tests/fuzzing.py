"""
Wrong input by the thousand: whole files with a few things changed, which come further than random bytes.

What is read must either be understood or be refused in a sentence of ours, soon.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from las_jupyter.core.errors import LasError

T = TypeVar("T")
Place = tuple[Any, ...]

careful = settings(
    deadline=5000,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
"""The deadline is generous: it is there for what does not end, not for what is slow on a busy machine."""


def understood_or_refused(call: Callable[[], T]) -> T | None:
    """What ``call`` returns; None when it refused with a sentence. Anything else that is raised is a crash."""
    try:
        return call()
    except LasError as error:
        assert error.message.strip()
        assert len(error.message.splitlines()) == 1, error.message
        assert not any("Traceback" in line or "object at 0x" in line for line in error.lines())
        return None


WORDS = (
    *("", " ", "\0", "\x1b[31m", "é", "\ud7ff", "{", "{model}", "{nothing}", "%", "../..", "~", "~nobody", "1e999"),
    *("nan", "-1", "١٢", "²GB", "9" * 400 + "GB", "a" * 5000, "native", "None", "[", "(a+)+$", "\\", "{{", "}", "{1}"),
    *(
        "0x10",
        "1.2.3GB",
        "👾",
        ":",
        "=",
        ",",
        "@>=1",
        "@>=",
        "::",
        "http://x",
        "\u202e",
        "12:34:56",
        "2001-01-01",
        "yes",
    ),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 65535, 65536, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400]),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=20),
    st.sampled_from([[], {}, [[]], [{}], {"": None}, {"a": {"b": []}}, [None], ["x"] * 50]),
).map(copy.deepcopy)


PIECE = st.binary(max_size=8)


def places(tree: Any, at: Place = ()) -> Iterator[Place]:
    """The way to every value below ``tree``."""
    if at:
        yield at
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in children:
        yield from places(value, (*at, key))


@st.composite
def mutated(draw: st.DrawFn, whole: list[Any], most: int = 4) -> Any:
    """One of ``whole`` with a few values replaced, left out, doubled, moved or renamed."""
    tree = copy.deepcopy(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, most))):
        every = list(places(tree))
        if not every:
            return draw(ODD)
        *way, last = draw(st.sampled_from(every))
        parent = tree
        for part in way:
            parent = parent[part]
        match draw(st.sampled_from(["replace", "replace", "replace", "delete", "double", "rename", "graft"])):
            case "replace":
                parent[last] = draw(ODD)
            case "delete":
                del parent[last]
            case "double":
                parent[last] = [copy.deepcopy(parent[last]), copy.deepcopy(parent[last])]
            case "rename" if isinstance(parent, dict):
                parent[draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)))] = parent.pop(last)
            case "graft":
                other = tree
                for part in draw(st.sampled_from(every)):
                    other = other[part] if _has(other, part) else other
                parent[last] = copy.deepcopy(other)
    return tree


def _has(tree: Any, part: Any) -> bool:
    return part in tree if isinstance(tree, dict) else isinstance(tree, list) and part < len(tree)


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes], most: int = 6) -> bytes:
    """One of ``whole`` with bytes cut out, doubled or overwritten."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "overwrite", "insert", "end", "double"])):
            case "cut":
                del data[start : start + draw(st.integers(1, 40))]
            case "overwrite":
                new = draw(st.one_of(PIECE, st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\xff" * 4])))
                data[start : start + len(new)] = new
            case "insert":
                data[start:start] = draw(
                    st.one_of(st.binary(max_size=8), st.sampled_from([b"[" * 60, b"\t", b"&a *a"]))
                )
            case "end":
                del data[start:]
            case "double":
                data[start:start] = data[start : start + draw(st.integers(1, 200))]
    return bytes(data)


def as_json(whole: list[Any]) -> st.SearchStrategy[bytes]:
    """``mutated`` as the bytes of a file, which YAML reads as well."""
    return mutated(whole).map(lambda tree: json.dumps(tree).encode())
