"""Extra arguments for the engine: those that would undo a decision are refused, with the right way named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.errors import PlanRefused

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Refused


def check_arguments(args: tuple[str, ...], refused: list[Refused], module: str) -> None:
    """Raise ``PlanRefused`` for the first argument that the manifest refuses, in any spelling."""
    rules = {_bare(name): row.use for row in refused for name in row.args}
    for word in args:
        if not word.startswith("-"):
            continue
        name = _bare(word.split("=", 1)[0])
        if name in rules:
            raise PlanRefused(
                f"{word.split('=', 1)[0]} cannot be given behind the two dashes.",
                cause=f"it would undo what was decided for {module}",
                remedy=f"use {rules[name]}" if not rules[name].startswith("nothing") else rules[name],
            )


def _bare(name: str) -> str:
    # argparse-like engines take --api_key and --API-KEY for --api-key.
    return name.replace("_", "-").lower() if name.startswith("--") else name
