"""Help texts, written from the grammar so that they cannot lie."""

from __future__ import annotations

import textwrap

from las_jupyter.display.text import Text
from las_jupyter.stack.grammar import VERBS, Verb, usage_of

_WIDTH = 100


def help_text(verb: Verb | None, prefix: str) -> Text:
    """The verbs, or one verb with its options; ``prefix`` is ``%las`` or ``las-jupyter``."""
    return Text(_overview(prefix) if verb is None else _one(verb, prefix))


def _overview(prefix: str) -> str:
    lines = [f"{prefix} VERB [options]", ""]
    lines += [f"  {verb.name:<10} {verb.help}" for verb in VERBS]
    lines += ["", f"{prefix} VERB --help shows the options of one verb."]
    return "\n".join(lines)


def usage(verb: Verb, prefix: str) -> str:
    """The verb's words in one line."""
    places = [place.name.upper() if place.required else f"[{place.name.upper()}]" for place in verb.positionals]
    options = ["[options]"] if verb.options else []
    rest = ["[-- engine options]"] if verb.engine_args else []
    return " ".join([prefix, verb.name, *places, *options, *rest])


def _one(verb: Verb, prefix: str) -> str:
    lines = [usage(verb, prefix), "", verb.help]
    rows = [(place.name.upper(), place.help) for place in verb.positionals]
    rows += [((f"{o.short}, " if o.short else "") + usage_of(o), o.help) for o in verb.options]
    if rows:
        lines.append("")
    for left, right in rows:
        lines += _row(left, right)
    if verb.examples:
        lines += ["", "Examples", *(f"  {prefix} {example}" for example in verb.examples)]
    return "\n".join(lines)


def _row(left: str, right: str) -> list[str]:
    wrapped = textwrap.wrap(right, _WIDTH - 34)
    head = f"  {left:<30}  {wrapped[0]}" if len(left) <= 30 else f"  {left}"
    rest = wrapped[1:] if len(left) <= 30 else wrapped
    return [head, *(" " * 34 + line for line in rest)]
