"""
What may come next on a line that is being typed. Pure: the values of a machine come in as functions.

The magic's matcher and the shell's completion both ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from las_jupyter.stack.grammar import BY_NAME, VERBS, Option, Verb

Values = Mapping[str, Callable[[], list[str]]]
"""For each word in ``Option.values``, a function that lists what is there now."""


class Candidate(NamedTuple):
    """A word that may come next, what it is, and a line of help."""

    text: str
    kind: str
    help: str = ""


def complete(words: list[str], fragment: str, values: Values) -> list[Candidate]:
    """The candidates for ``fragment`` after the finished ``words``; empty when anything may come."""
    return [each for each in _offers(words, fragment, values) if each.text.startswith(fragment)]


def _offers(words: list[str], fragment: str, values: Values) -> list[Candidate]:
    if not words:
        return [Candidate(verb.name, "verb", verb.help) for verb in VERBS]
    verb = BY_NAME.get(words[0])
    if verb is None or "--" in words:
        return []
    waiting = _waiting(verb, words[1:])
    if waiting is not None:
        return _values_of(waiting, values)
    if fragment.startswith("-"):
        return _flags(verb, words)
    return _loose(verb, words[1:], values) or _flags(verb, words)


def _waiting(verb: Verb, words: list[str]) -> Option | None:
    """The option whose value comes next."""
    last = words[-1] if words else ""
    return next((o for o in verb.options if o.takes_value and last and last in (o.word, o.short)), None)


def _values_of(option: Option, values: Values) -> list[Candidate]:
    found = list(option.choices) or _listed(option.values, values)
    return [Candidate(value, "value", option.help) for value in found]


def _flags(verb: Verb, words: list[str]) -> list[Candidate]:
    return [Candidate(o.word, "option", o.help) for o in verb.options if o.repeat or o.word not in words]


def _loose(verb: Verb, words: list[str], values: Values) -> list[Candidate]:
    taken, skip = 0, False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = "=" not in word and any(o.takes_value and word in (o.word, o.short) for o in verb.options)
        else:
            taken += 1
    if taken >= len(verb.positionals):
        return []
    place = verb.positionals[taken]
    return [Candidate(value, place.name, place.help) for value in _listed(place.values, values)]


def _listed(what: str, values: Values) -> list[str]:
    if what == "verbs":
        return [verb.name for verb in VERBS]
    if what not in values:
        return []
    try:
        return values[what]()
    except Exception:
        # A completion must never break the line that is being typed; the verb itself will say what is wrong.
        return []
