"""
Extra arguments for the engine that would undo what was decided, and the right way instead.

This is early advice: engines read options in ways of their own. Where a server really listens is measured while it runs
(``Running.open_listeners``); a key, and what a file of options says, can be looked after here alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core.states import Mode
from las_jupyter.manifests.template import names_in

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest

_SHORTEST_ABBREVIATION = len("--x")
_NO_LETTERS_OF_A_NAME = frozenset("\"'\\")


class RefusedArgument(NamedTuple):
    """``word`` is what was typed, ``use`` is the right way instead."""

    word: str
    option: str
    use: str


def refused_arguments(manifest: Manifest, args: Sequence[str]) -> tuple[RefusedArgument, ...]:
    """
    Those of ``args`` that the manifest refuses, in any spelling an option parser takes.

    That is ``--host X``, ``--host=X``, ``--HOST``, ``--api_key`` for ``--api-key``, an abbreviation such as ``--ho``,
    and any of these inside a word, as ``"--save 60 --host X"`` or on a line of its own. An entry that ends with ``*``
    stands for any ending, as ``-h*`` for ``-h0.0.0.0``. An option whose name is written with quotes or backslashes is
    refused whatever it means.
    """
    rules = {option: row.use for row in manifest.refuse for option in row.args}
    found = []
    for word in args:
        for name in _names(word):
            option = next((each for each in rules if _means(name, each)), None)
            if option is not None:
                found.append(RefusedArgument(_option(name), option, rules[option]))
                break
            if _is_disguised(name):
                found.append(RefusedArgument(_option(name), name, "the option's plain name"))
                break
    return tuple(found)


def _names(word: str) -> Iterator[str]:
    """
    Where an engine may find an option in one word: Redis takes blanks apart, and a new line for a new option.

    A word that does not begin as an option is a value, whatever it holds.
    """
    yield word.strip()
    if not word.lstrip().startswith("-"):
        return
    for number, line in enumerate(word.strip().splitlines()):
        parts = line.split()
        if number and parts and not parts[0].startswith("-"):
            yield f"--{parts[0]}"
        yield from parts


def _is_disguised(name: str) -> bool:
    return name.startswith("--") and not _NO_LETTERS_OF_A_NAME.isdisjoint(_option(name))


def _option(name: str) -> str:
    return name.split()[0].partition("=")[0]


def settled_variables(manifest: Manifest, mode: Mode) -> dict[str, str]:
    """Environment variables of ``mode`` that a user may not set, and what each carries."""
    secrets = manifest.launch.secrets if manifest.launch else {}
    carried = {secret.env: "the generated key" for secret in secrets.values() if secret.env}
    part = manifest.launch and (manifest.launch.native if mode is Mode.NATIVE else manifest.launch.container)
    for name, text in part.env.items() if part else ():
        used = {key.partition(":")[0] for key in names_in([text])}
        if used & {"host", "port"}:
            carried[name] = "the address or port" if "host" in used else "the port"
    return carried


def _means(word: str, option: str) -> bool:
    if option.endswith("*"):
        return _bare(word).startswith(_bare(option[:-1]))
    typed, wanted = _bare(word.partition("=")[0]), _bare(option)
    if typed == wanted:
        return True
    # argparse takes any beginning of a long option that is not another option's.
    return typed.startswith("--") and len(typed) >= _SHORTEST_ABBREVIATION and wanted.startswith(typed)


def _bare(word: str) -> str:
    """A name as most engines compare it; one letter behind one dash means what it means in its own case."""
    kept = 2 if word.startswith("-") and not word.startswith("--") else 0
    return word[:kept] + word[kept:].replace("_", "-").lower()
