"""Extra arguments for the engine that would undo what was decided, and the right way instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core.states import Mode
from las_jupyter.manifests.template import names_in

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest

_SHORTEST_ABBREVIATION = len("--xxx")


class RefusedArgument(NamedTuple):
    """``word`` is what was typed, ``use`` is the right way instead."""

    word: str
    option: str
    use: str


def refused_arguments(manifest: Manifest, args: Sequence[str]) -> tuple[RefusedArgument, ...]:
    """
    Those of ``args`` that the manifest refuses, in any spelling an option parser takes.

    That is ``--host X``, ``--host=X``, ``--HOST``, ``--api_key`` for ``--api-key``, and an abbreviation such as
    ``--hos``. An entry that ends with ``*`` stands for any ending, as ``-h*`` for ``-h0.0.0.0``.
    """
    rules = {option: row.use for row in manifest.refuse for option in row.args}
    found = []
    for word in args:
        option = next((each for each in rules if _means(word, each)), None)
        if option is not None:
            found.append(RefusedArgument(word.partition("=")[0], option, rules[option]))
    return tuple(found)


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
    return word.replace("_", "-").lower() if word.startswith("--") else word
