"""
The body of ``%%las start``: options as TOML, named as on the line without the dashes.

Braces and dollars in the body are left alone. An option on the line wins over the same one in the body.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from las_jupyter.core import advice
from las_jupyter.core.errors import BadRequest, UnknownOption
from las_jupyter.display.words import nearest
from las_jupyter.stack.grammar import Kind, Option, Verb
from las_jupyter.stack.parsing import Command, store


def read_body(command: Command, body: str) -> Command:
    """``command`` with the options of ``body`` added. Raises ``BadRequest`` naming line and column."""
    verb = command.verb
    if verb is None or verb.name not in ("start", "plan"):
        if verb is None:
            raise BadRequest(
                "The cell has no verb on its first line.",
                cause="the lines below it are options as TOML, not verbs",
                remedy="begin with %%las start MODULE, and below it one option a line; other verbs as %las VERB",
            )
        raise BadRequest(f"%%las {verb.name} takes no cell body.", remedy=f"write it on one line: %las {verb.name}")
    values = _values(verb, _tables(body), body)
    return command._replace(values={**values, **command.values})


def _tables(body: str) -> dict[str, Any]:
    try:
        return tomllib.loads(body)
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(
            "The cell body is not TOML.", cause=str(error), remedy='one option a line, as: memory = "8GB"'
        ) from error


def _values(verb: Verb, given: dict[str, Any], body: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key == "args" and verb.engine_args:
            values["args"] = _arguments(value)
            continue
        option = _option(verb, key, body)
        for each in value if option.repeat and isinstance(value, list) else [value]:
            store(values, option, ",".join(map(str, each)) if isinstance(each, list) else each)
    return values


def _arguments(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or any(isinstance(word, list | dict) for word in value):
        raise BadRequest("args is a list of words.", remedy='as: args = ["--ctx-size", "8192"]')
    return tuple(str(word) for word in value)


def _option(verb: Verb, key: str, body: str) -> Option:
    names = {option.name: option for option in verb.options}
    names |= {option.word.removeprefix("--"): option for option in verb.options if option.kind is not Kind.OFF}
    if key in names:
        return names[key]
    near = nearest(key, names)
    raise UnknownOption(
        f"{verb.name} has no option {key!r} ({_place(key, body)}).",
        cause=f"its options are: {', '.join(option.name for option in verb.options)}, args",
        remedy=f"did you mean {advice.word(near)}?" if near else f"see: %las help {verb.name}",
    )


def _place(key: str, body: str) -> str:
    for number, line in enumerate(body.splitlines(), 1):
        found = re.match(rf"\s*\[?\s*[\"']?({re.escape(key)})\b", line)
        if found:
            return f"line {number}, column {found.start(1) + 1}"
    return "in the cell body"
