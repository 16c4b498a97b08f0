"""
Native or container: the manifest's modes, the policy, the settings and what is available now must all accept it.

The user's wish is met or refused, never replaced. Without one: the manifest's preferred mode, the configured
default, the first that is left; what a preferred mode lost by is said.
"""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.states import Mode


class ModeQuestion(NamedTuple):
    """
    ``objections`` names for each mode everything that speaks against it, as clauses; no entry, no objection.
    ``remedies`` says for an objection what cures it.
    """

    objections: dict[Mode, tuple[str, ...]]
    asked: Mode | None = None
    preferred: Mode | None = None
    default: Mode | None = None
    remedies: dict[Mode, str] = {}


class ModeChoice(NamedTuple):
    """The mode, why, and why the other one lost."""

    mode: Mode
    reason: str
    passed_over: dict[Mode, str] = {}


def choose_mode(question: ModeQuestion, module: str) -> ModeChoice:
    """The mode everybody accepts. Raises ``PlanRefused`` when there is none, or when the one asked for is not it."""
    accepted = [mode for mode in Mode if not question.objections.get(mode)]
    lost = {mode: "; ".join(why) for mode, why in question.objections.items() if why}
    if question.asked is not None:
        if question.asked not in accepted:
            raise PlanRefused(
                f"{module} cannot run in {question.asked} mode here.",
                cause=lost[question.asked],
                remedy=question.remedies.get(question.asked) or _other(accepted, module) or "%las doctor",
            )
        return ModeChoice(question.asked, "you asked for it", lost)
    if not accepted:
        raise PlanRefused(
            f"{module} cannot run here in any mode.",
            cause="; ".join(f"{mode}: {why}" for mode, why in lost.items()),
            remedy=next((question.remedies[mode] for mode in Mode if mode in question.remedies), "%las doctor"),
        )
    for wish, reason in (
        (question.preferred, "the manifest prefers it"),
        (question.default, "it is the configured default"),
    ):
        if wish in accepted:
            assert wish is not None
            return ModeChoice(wish, reason, lost)
    wished = question.preferred or question.default
    reason = f"{wished}, which is preferred, is not possible" if wished else "it is the first that is possible"
    return ModeChoice(accepted[0], reason, lost)


def _other(accepted: list[Mode], module: str) -> str | None:
    return f"%las start {word(module)} --mode {accepted[0].value}" if accepted else None
