"""What was typed for the engine and would undo a decision is refused, with the right way named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.states import Mode
from las_jupyter.display.words import theirs
from las_jupyter.manifests.refused import refused_arguments, settled_variables

if TYPE_CHECKING:
    from las_jupyter.manifests.catalog import Entry
    from las_jupyter.manifests.schema import Manifest


def check_arguments(args: tuple[str, ...], entry: Entry) -> None:
    """Raise ``PlanRefused`` for the first argument that the manifest refuses, in any spelling."""
    for found in refused_arguments(entry.manifest, args):
        use = found.use if found.use.startswith("nothing") else f"use {found.use}"
        why = f"it would undo what was decided for {entry.manifest.name}"
        raise PlanRefused(
            f"{found.word} cannot be given behind the two dashes.",
            cause=why if entry.trusted else f"{why}; {theirs(use)}",
            remedy=use if entry.trusted else "leave it out",
        )


def check_environment(names: Iterable[str], manifest: Manifest, mode: Mode) -> None:
    """Raise ``PlanRefused`` for the first variable that carries a key, an address or a port the plan decides."""
    # Some engines take a variable in any case of its letters, and the last of two that differ in nothing else.
    settled = {name.lower(): carried for name, carried in settled_variables(manifest, mode).items()}
    for name in sorted(each for each in names if each.lower() in settled):
        raise PlanRefused(
            f"{name} cannot be set with --env.",
            cause=f"it carries {settled[name.lower()]} of {manifest.name}, which the plan decides",
            remedy="leave it out; --port chooses the port, and llm.openai() has the key",
        )
