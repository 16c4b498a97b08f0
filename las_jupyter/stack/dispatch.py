"""From a ``Command`` to the answer: the few lines that the magic and the command line have in common."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from las_jupyter.core.errors import BadRequest
from las_jupyter.stack.grammar import BY_NAME
from las_jupyter.stack.help import help_text
from las_jupyter.stack.parsing import Command, find_verb
from las_jupyter.stack.stack import Stack


def perform(stack: Stack, command: Command, *, prefix: str) -> Any:
    """Do what ``command`` asks for and return its answer, a value of ours that knows how to show itself."""
    verb = command.verb
    if verb is None:
        return overview(stack, prefix)
    if command.help:
        return help_text(verb, prefix)
    if verb.name == "help":
        topic = command.values.get("topic")
        return help_text(find_verb(topic) if topic else None, prefix)
    if verb.name == "traceback":
        raise BadRequest("The frames of an error are kept by the program that saw it.")
    method: Callable[..., Any] = getattr(stack, verb.api)
    return method(**command.values)


def overview(stack: Stack, prefix: str) -> Any:
    """What the bare word answers: the instances, and where the verbs are."""
    table = stack.status()
    verbs = " ".join(name for name in BY_NAME)
    table.notes = (*table.notes, f"Verbs: {verbs}. {prefix} help VERB explains one.")
    return table


def completion_values(stack: Stack) -> dict[str, Callable[[], list[str]]]:
    """What there is on this machine, for completion."""
    return {
        "modules": lambda: list(dict.fromkeys(row.name for row in stack.rooms.modules())),
        "models": stack.rooms.models,
        "variables": lambda: sorted(os.environ),
        "instances": lambda: [snapshot.name for snapshot in stack.snapshots()],
    }
