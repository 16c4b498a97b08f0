"""YAML that people wrote: plain data, and the line on which each key stands. Never more than a sentence goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LARGEST = 1 << 20
_DEEPEST = 50
_MOST_NODES = 10_000

Place = tuple[str | int, ...]


class Unreadable(Exception):
    """Why the text is no data we can use, as a clause; ``line`` counts from 1, None when it has no place."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Document:
    """``content`` is the data; ``root`` is how it was written."""

    def __init__(self, content: Any, root: Any) -> None:
        self.content = content
        self._root = root
        self._lines: dict[Place, int] | None = None

    def line(self, at: Place) -> int:
        """The line of ``at``, or of the nearest thing around it."""
        if self._lines is None:
            self._lines = dict(_lines(self._root, ()))
        return next((self._lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self._lines), 1)

    def written(self, key: str) -> str | None:
        """The scalar at the top level as its author wrote it: ``1.10`` is a number to YAML, and 1.1 then."""
        for name, value in self._root.value if isinstance(getattr(self._root, "value", None), list) else ():
            if isinstance(name, object) and getattr(name, "value", None) == key and isinstance(value.value, str):
                return value.value
        return None

    def span(self, at: Place) -> tuple[int, int] | None:
        """Where the scalar at ``at`` begins and ends, in characters."""
        node = self._root
        for part in at:
            pairs = node.value if isinstance(getattr(node, "value", None), list) else []
            node = next((value for key, value in pairs if key.value == part), None)
            if node is None:
                return None
        return node.start_mark.index, node.end_mark.index


def parse_yaml(data: bytes) -> Document:
    """The one document in ``data``. Raises ``Unreadable``."""
    import yaml

    if len(data) > LARGEST:
        raise Unreadable("it is larger than 1 MiB")
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = data.decode("utf-8-sig")
        _check_depth(yaml, text, loader_class)
        loader = loader_class(text)
        try:
            root = loader.get_single_node()
            _check(root)
            return Document(None if root is None else loader.construct_document(root), root)
        finally:
            loader.dispose()
    except Unreadable:
        raise
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 text: byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(error.problem or str(error), mark.line + 1 if mark else None) from None
    except Exception as error:
        # Explicit tags (`!!int ""`) make the constructors of PyYAML raise almost anything.
        raise Unreadable(" ".join(str(error).split()) or type(error).__name__) from None


def _check_depth(yaml: Any, text: str, loader_class: Any) -> None:
    """Refuse deep nesting before a tree is made of it: libyaml's composer recurses until the stack is full."""
    depth = 0
    for event in yaml.parse(text, loader_class):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise Unreadable("it is nested too deeply", event.start_mark.line + 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check(root: Any) -> None:
    """Refuse what would never end or silently lose a value: loops, aliases that multiply, a key twice."""
    left = _MOST_NODES
    todo = [(root, 0)] if root is not None else []
    while todo:
        node, depth = todo.pop()
        left -= 1
        line = node.start_mark.line + 1
        if depth > _DEEPEST:
            raise Unreadable("it refers to itself", line)
        if left < 0:
            raise Unreadable("it holds too many values", line)
        if node.id == "mapping":
            _check_keys(node)
            todo.extend((each, depth + 1) for pair in node.value for each in pair)
        elif node.id == "sequence":
            todo.extend((each, depth + 1) for each in node.value)


def _check_keys(node: Any) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if key.id != "scalar":
            raise Unreadable("a key must be a word", key.start_mark.line + 1)
        line = key.start_mark.line + 1
        if key.value in seen:
            raise Unreadable(f"{key.value!r} stands here a second time (first on line {seen[key.value]})", line)
        seen[key.value] = line


def _lines(node: Any, at: Place) -> Iterator[tuple[Place, int]]:
    if node is None:
        return
    if node.id == "mapping":
        for key, value in node.value:
            yield (*at, key.value), key.start_mark.line + 1
            yield from _lines(value, (*at, key.value))
    elif node.id == "sequence":
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _lines(value, (*at, index))
