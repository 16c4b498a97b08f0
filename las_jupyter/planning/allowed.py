"""What a policy allows of this start: the size of the model, and exposure to the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision
from las_jupyter.policy.rules import EXPOSE, MODEL_TOLERANCE, format_parameters

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World


def check_model_size(world: World, decisions: list[Decision]) -> tuple[str, ...]:
    """
    Compare the model's parameters with the policy's bound; what cannot be compared is a warning where nothing is
    served yet, and otherwise a refusal: a rule that cannot be checked is not a rule that is kept.
    """
    most, model = world.policy.max_parameters, world.model
    if most is None:
        return ()
    rule = world.policy.reasons["model"]
    manifest = world.entry.manifest
    if model is None:
        told = f"{rule}, which cannot be checked: {manifest.name} loads models by itself"
        return (told,) if manifest.category == "runtime" else ()
    if model.parameters is None and model.download is not None:
        return (f"{rule}; {model.text} is measured once it is fetched",)
    if model.parameters is None:
        raise PlanRefused(
            f"{model.text} may not be served.",
            cause=f"{rule}, and how many it has cannot be read from its files",
            remedy=f"%las start {manifest.name} --model with a GGUF file, or a folder of safetensors",
        )
    has = f"it has {format_parameters(model.parameters)}"
    if model.parameters > most * MODEL_TOLERANCE:
        raise PlanRefused(
            f"{model.text} is larger than is allowed.",
            cause=f"{has}, and {rule}",
            remedy=f"%las start {manifest.name} --model with a smaller one",
        )
    decisions.append(Decision("model size", "allowed", f"{has}, and {rule}"))
    return ()


def check_exposure(request: StartRequest, world: World, decisions: list[Decision]) -> None:
    """The network sees it only when a policy and the user both say so. Raises ``PlanRefused``."""
    if not request.expose:
        return
    if not world.policy.expose:
        raise PlanRefused(
            f"{world.entry.manifest.name} may not be exposed to the network.",
            cause=world.policy.reasons.get(EXPOSE, "no policy allows network exposure"),
            remedy="leave --expose out; ssh -L reaches 127.0.0.1 from another machine",
        )
    reason = f"you asked for it, and {world.policy.reasons[EXPOSE]}"
    decisions.append(Decision("exposure", "all addresses", reason, override=True))
