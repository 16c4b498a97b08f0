"""From the keyword arguments a person typed to a ``StartRequest``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypedDict, TypeVar

from las_jupyter.core import advice
from las_jupyter.core.errors import BadRequest
from las_jupyter.core.quantities import parse_duration, parse_size
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Lifetime, Mode, RestartPolicy
from las_jupyter.display.words import nearest_choice, short

E = TypeVar("E", bound=StrEnum)
_MOST_CORES = 1e6
Word = str | os.PathLike[str]


class StartOptions(TypedDict, total=False):
    """
    Everything that may be said about a start besides the module; left out means: decided by planning.

    Sizes as bytes or ``"8GB"``, times as seconds or ``"30s"``. ``args`` go to the engine as they are; ``mounts`` are
    ``SOURCE:TARGET[:rw]``; a variable of ``env`` whose value is None has the value that it has in this process, and is
    kept as a secret; ``lifetime="kernel"`` stops the instance when this process is gone, however it ended.
    """

    name: str | None
    model: Word | None
    mode: str | None
    engine: str | None
    engine_python: Word | None
    port: int | None
    gpus: int | str | Sequence[int | str] | None
    memory: int | str | None
    cpus: float | None
    env: Mapping[str, str | None] | None
    args: Sequence[str | int | float]
    mounts: Sequence[str] | None
    restart: str | None
    timeout: float | str | None
    grace: float | str | None
    lifetime: str
    overcommit: bool
    share_gpu: bool
    expose: bool


DEFAULTS = {"args": (), "lifetime": "detached", "overcommit": False, "share_gpu": False, "expose": False}
"""What is meant by an option left out, where that is not None."""


def option_parameters() -> list[inspect.Parameter]:
    """The options as keyword-only parameters, for help and for finding a misspelt one."""
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=kind)
        for name, kind in StartOptions.__annotations__.items()
    ]


def start_request(module: Word, options: StartOptions, environment: Mapping[str, str] = os.environ) -> StartRequest:
    """The request these words make; ``environment`` is where variables are taken from. Raises ``BadRequest``."""
    env, taken = _variables(options.get("env"), environment)
    return StartRequest(
        module=_path(module, "module") or "",
        name=_text(options.get("name"), "name"),
        model=_path(options.get("model"), "model"),
        mode=_maybe(Mode, options.get("mode"), "mode"),
        engine=_text(options.get("engine"), "engine"),
        engine_python=_path(options.get("engine_python"), "engine_python"),
        port=_port(options.get("port")),
        gpus=gpu_ids(options.get("gpus")),
        memory=_size(options.get("memory")),
        cpus=_cores(options.get("cpus")),
        env=env,
        taken=taken,
        args=_words(options.get("args") or (), "args"),
        mounts=_words(options.get("mounts") or (), "mounts"),
        restart=_maybe(RestartPolicy, options.get("restart"), "restart"),
        grace=_seconds(options.get("grace"), "grace"),
        timeout=_seconds(options.get("timeout"), "timeout"),
        lifetime=_one_of(Lifetime, options.get("lifetime", "detached"), "lifetime"),
        overcommit=_flag(options.get("overcommit", False), "overcommit"),
        share_gpu=_flag(options.get("share_gpu", False), "share_gpu"),
        expose=_flag(options.get("expose", False), "expose"),
    )


def _path(word: Word | None, what: str) -> str | None:
    if word is None or isinstance(word, str):
        return _not_empty(word, what)
    if isinstance(word, os.PathLike):
        return os.fsdecode(word)
    raise BadRequest(
        f"{what} cannot be {short(word)}.", cause="it is text or a path", remedy=f"for example: {what}='…'"
    )


def _not_empty(word: str | None, what: str) -> str | None:
    """Nothing between quotes is mostly a variable that was not set; starting something else instead helps nobody."""
    if word is None or word.strip():
        return word
    raise BadRequest(
        f"{what} cannot be empty.",
        cause="nothing stands between the quotes: is a variable not set?",
        remedy=f"leave {what} out, or say which",
    )


def _text(word: str | None, what: str) -> str | None:
    if word is None or isinstance(word, str):
        return _not_empty(word, what)
    raise BadRequest(f"{what} cannot be {short(word)}.", cause="it is text", remedy=f"for example: {what}='…'")


def _flag(given: object, what: str) -> bool:
    if isinstance(given, bool):
        return given
    raise BadRequest(f"{what} cannot be {short(given)}.", cause="it is True or False", remedy=f"{what}=True")


def _variables(
    given: Mapping[str, str | None] | None, environment: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables with their values, and the names of those that were taken from ``environment``."""
    if given is None:
        return {}, ()
    if not isinstance(given, Mapping):
        raise BadRequest(f"env cannot be {short(given)}.", cause="it is a table", remedy="env={'NAME': 'value'}")
    taken = tuple(str(name) for name, value in given.items() if value is None)
    for name in taken:
        if not environment.get(name):
            raise BadRequest(
                f"There is no value for {short(name)} here.",
                cause="without a value of its own it is taken from the environment of this process, which has none",
                remedy=f"--env {advice.word(name)}=VALUE where it is no secret; else {how_to_set(name)}",
            )
    return {str(name): environment[name] if value is None else str(value) for name, value in given.items()}, taken


def how_to_set(name: str) -> str:
    """How a secret gets into the environment without being written down anywhere."""
    python = f"os.environ[{name!r}] = getpass.getpass()" if name.isidentifier() else "os.environ[…] = getpass.getpass()"
    return f"{python} in a notebook, read -rs {advice.word(name)} and export {advice.word(name)} in a terminal"


def _words(given: Sequence[str | int | float], what: str) -> tuple[str, ...]:
    if isinstance(given, str):
        raise BadRequest(
            f"{what} cannot be one string.",
            cause="the engine is given separate words",
            remedy=f"write a list: {what}={given.split()!r}",
        )
    if not isinstance(given, Sequence):
        raise BadRequest(f"{what} cannot be {short(given)}.", cause="it is a list of words", remedy=f"{what}=['…']")
    return tuple(str(word) for word in given)


def _maybe(kind: type[E], word: str | None, what: str) -> E | None:
    return None if word is None else _one_of(kind, word, what)


def gpu_ids(asked: int | str | Iterable[int | str] | None) -> tuple[str, ...] | None:
    """Device ids from ``0``, ``"0,1"``, ``"all"``, ``"none"`` or a list; None when nothing was said."""
    if asked is None:
        return None
    if isinstance(asked, int):
        asked = str(asked)
    if not isinstance(asked, str) and not isinstance(asked, Iterable):
        raise BadRequest(f"gpus cannot be {short(asked)}.", cause="it is an id, ids, all or none", remedy="gpus=[0, 1]")
    words = asked.split(",") if isinstance(asked, str) else [str(word) for word in asked]
    ids = tuple(word.strip() for word in words if word.strip())
    return () if ids == ("none",) else ids


def _one_of(kind: type[E], word: str, what: str) -> E:
    try:
        return kind(str(word))
    except ValueError:
        near = nearest_choice(str(word), list(kind))
        raise BadRequest(
            f"{what} cannot be {short(word)}.",
            cause=f"it is one of: {', '.join(kind)}",
            remedy=f"did you mean {advice.word(near)}?" if near else f"for example: {what}={next(iter(kind)).value!r}",
        ) from None


def _port(port: int | None) -> int | None:
    if port is None:
        return None
    if type(port) is int and 0 <= port < 65536:
        return port
    raise BadRequest(
        f"port cannot be {short(port)}.", cause="a port is a number from 1 to 65535", remedy="--port 0 takes a free one"
    )


def _cores(cpus: object) -> float | None:
    if cpus is None:
        return None
    if isinstance(cpus, int | float) and not isinstance(cpus, bool) and 0 < cpus < _MOST_CORES:
        return float(cpus)
    raise BadRequest(
        f"cpus cannot be {short(cpus)}.", cause="it is a number of cores above 0", remedy="for example: --cpus 1.5"
    )


def _size(size: int | str | None) -> int | None:
    if size is None:
        return None
    try:
        value = parse_size(size)
    except ValueError as error:
        raise BadRequest(
            f"memory cannot be {short(size)}.", cause=str(error), remedy="for example: --memory 8GB"
        ) from None
    if value <= 0:
        raise BadRequest(
            f"memory cannot be {short(size)}.", cause="it is a size above 0", remedy="for example: --memory 8GB"
        )
    return value


def _seconds(span: float | str | None, what: str) -> float | None:
    if span is None:
        return None
    try:
        value = parse_duration(span)
    except ValueError as error:
        raise BadRequest(
            f"{what} cannot be {short(span)}.", cause=str(error), remedy=f"for example: --{what} 30s"
        ) from None
    if value < 0:
        raise BadRequest(
            f"{what} cannot be {short(span)}.", cause="it is a duration", remedy=f"for example: --{what} 30s"
        )
    return value
