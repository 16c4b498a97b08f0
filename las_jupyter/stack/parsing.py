"""
From words to a ``Command`` whose values are the keyword arguments of the method of the same name.

It never exits and never prints; what it does not understand is an ``UnknownOption`` or a ``BadRequest``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from las_jupyter.core import advice
from las_jupyter.core.errors import BadRequest, UnknownOption
from las_jupyter.core.quantities import parse_duration, parse_size
from las_jupyter.display.words import nearest, nearest_choice, short
from las_jupyter.stack.grammar import BY_NAME, Kind, Option, Verb, example_of, usage_of


class Command(NamedTuple):
    """What was understood. ``help`` asks for the verb's help; ``verb`` None is the bare magic or command."""

    verb: Verb | None
    values: dict[str, Any]
    help: bool = False


def find_verb(word: str) -> Verb:
    """The verb of that name. Raises ``UnknownOption`` naming the nearest."""
    if word in BY_NAME:
        return BY_NAME[word]
    near = nearest(word, BY_NAME)
    raise UnknownOption(
        f"There is no verb {word!r}.",
        cause=f"the verbs are {', '.join(BY_NAME)}",
        remedy=f"did you mean: %las {near}" if near else "%las help",
    )


def find_option(verb: Verb, word: str, also: tuple[str, ...] = ()) -> Option:
    """The option typed as ``word``. Raises ``UnknownOption`` naming the nearest, of ``also`` too."""
    for option in verb.options:
        if word in (option.word, option.short) and word:
            return option
    near = nearest(word, [*(option.word for option in verb.options), *also])
    known = " ".join([*(option.word for option in verb.options), *also]) or "none"
    hint = f"did you mean {near}?" if near else f"%las help {verb.name} shows them"
    if verb.engine_args and not near:
        hint += "; options of the engine itself go after --"
    raise UnknownOption(f"{verb.name} has no option {word}.", cause=f"its options are: {known}", remedy=hint)


def parse(words: list[str], also: tuple[str, ...] = ()) -> Command:
    """What ``words`` ask for; ``also`` are the surface's own switches, to be suggested. Raises ``BadRequest``."""
    if not words:
        return Command(None, {})
    if words[0] in ("--help", "-h"):
        return Command(BY_NAME["help"], {})
    verb = find_verb(words[0])
    return _Words(verb, words[1:], also).read()


class _Words:
    """The words after the verb, taken one by one."""

    def __init__(self, verb: Verb, words: list[str], also: tuple[str, ...]) -> None:
        self.verb = verb
        self.also = also
        self.words = list(words)
        self.values: dict[str, Any] = {}
        self.loose: list[str] = []
        self.help = False

    def read(self) -> Command:
        while self.words:
            word = self.words.pop(0)
            if word == "--":
                self._rest()
            elif word in ("--help", "-h"):
                self.help = True
            elif word.startswith("-") and len(word) > 1 and not _is_number(word):
                self._option(word)
            else:
                self.loose.append(word)
        if not self.help:
            self._place()
        return Command(self.verb, self.values, self.help)

    def _rest(self) -> None:
        if not self.verb.engine_args:
            raise BadRequest(
                f"{self.verb.name} takes no --.",
                cause="it starts no engine to pass anything on to",
                remedy=f"%las help {self.verb.name}",
            )
        self.values["args"] = tuple(self.words)
        self.words = []

    def _option(self, word: str) -> None:
        flag, equals, given = word.partition("=")
        option = find_option(self.verb, flag, self.also)
        if not option.takes_value:
            if equals:
                raise BadRequest(
                    f"{option.word} takes no value.", cause=f"{short(given)} was given", remedy=f"write: {option.word}"
                )
            self.values[option.name] = option.kind is Kind.FLAG
            return
        if not equals:
            if not self.words or self.words[0] == "--":
                raise BadRequest(
                    f"{option.word} lacks its value.",
                    cause=f"it is written {usage_of(option)}: {option.help}",
                    remedy=f"for example: {example_of(option)}",
                )
            given = self.words.pop(0)
        store(self.values, option, given)

    def _place(self) -> None:
        for place in self.verb.positionals:
            if self.loose:
                self.values[place.name] = self.loose.pop(0)
            elif place.required:
                raise BadRequest(
                    f"{self.verb.name} lacks its {place.name}.",
                    cause=f"{place.name.upper()} is {place.help}",
                    remedy=f"for example: %las {self.verb.examples[0]}",
                )
        if self.loose:
            hint = f"%las help {self.verb.name}"
            if self.verb.engine_args:
                hint = f"--model {advice.word(self.loose[0])} if a model is meant; options of the engine go after --"
            takes = " and ".join(place.name for place in self.verb.positionals) or "no words"
            raise BadRequest(
                f"{self.verb.name} does not know what to do with {short(self.loose[0])}.",
                cause=f"it takes {takes} and options",
                remedy=hint,
            )


def _is_number(word: str) -> bool:
    return word.lstrip("-").replace(".", "", 1).isdigit()


def store(values: dict[str, Any], option: Option, given: Any) -> None:
    """Put the value ``given`` for ``option`` into ``values``; a repeated option adds to what is there."""
    value = convert(option, given)
    if option.kind is Kind.PAIR:
        values.setdefault(option.name, {}).update(value)
    elif option.repeat:
        values.setdefault(option.name, []).append(value)
    else:
        values[option.name] = value


def convert(option: Option, given: Any) -> Any:
    """The value of ``option`` meant by ``given``, text or a TOML value. Raises ``BadRequest``."""
    try:
        value = _convert(option.kind, given)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"{option.word} cannot be {short(given)}.", cause=str(error), remedy=f"for example: {example_of(option)}"
        ) from error
    if option.choices and value not in option.choices:
        near = nearest_choice(str(value), option.choices)
        raise BadRequest(
            f"{option.word} cannot be {short(given)}.",
            cause=f"it is one of: {', '.join(option.choices)}",
            remedy=f"did you mean {option.word} {near}?" if near else f"for example: {example_of(option)}",
        )
    return value


def _convert(kind: Kind, given: Any) -> Any:
    match kind:
        case Kind.TEXT:
            if isinstance(given, bool | dict | list):
                raise ValueError("it is text")
            return str(given)
        case Kind.INTEGER:
            return _whole(given)
        case Kind.NUMBER:
            if isinstance(given, bool):
                raise ValueError("it is a number")
            return _number(given)
        case Kind.SIZE:
            return parse_size(given)
        case Kind.DURATION:
            return parse_duration(given)
        case Kind.PAIR:
            return _pair(given)
        case Kind.FLAG | Kind.OFF:
            if not isinstance(given, bool):
                raise ValueError("it is true or false")
            return given


def _whole(given: Any) -> int:
    try:
        if isinstance(given, bool | float):
            raise ValueError
        return int(given)
    except ValueError:
        raise ValueError("it is a whole number") from None


def _number(given: Any) -> float:
    try:
        return float(given)
    except ValueError:
        raise ValueError("it is a number") from None


def _pair(given: Any) -> dict[str, str | None]:
    """The variable and its value; None where it is to be taken from the environment."""
    if isinstance(given, dict):
        return {str(name): str(value) for name, value in given.items()}
    name, equals, value = str(given).partition("=")
    if not name:
        raise ValueError("it is written NAME=VALUE, or NAME to take the value that NAME has here")
    return {name: value if equals else None}
