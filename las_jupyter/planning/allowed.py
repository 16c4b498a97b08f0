"""What a policy allows of this start: the size of the model, and exposure to the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision, LaunchSpec
from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.manifests.template import names_in
from las_jupyter.policy.rules import EXPOSE, MODEL_TOLERANCE, format_parameters

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World


def check_allowed(world: World) -> None:
    """Raise ``PlanRefused`` when a policy forbids the module altogether."""
    if world.policy.forbidden:
        raise PlanRefused(
            f"{world.entry.manifest.name} may not run here.",
            cause=world.policy.forbidden,
            remedy="%las config policy_file shows whose rule it is; %las modules shows what else there is",
        )


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
            remedy=f"%las start {word(manifest.name)} --model with a GGUF file, or a folder of safetensors",
        )
    has = f"it has {format_parameters(model.parameters)}"
    if model.parameters > most * MODEL_TOLERANCE:
        raise PlanRefused(
            f"{model.text} is larger than is allowed.",
            cause=f"{has}, and {rule}",
            remedy=f"%las start {word(manifest.name)} --model with a smaller one",
        )
    decisions.append(Decision("model size", "allowed", f"{has}, and {rule}"))
    return ()


def check_exposure(request: StartRequest, world: World, mode: Mode, decisions: list[Decision]) -> None:
    """
    The network sees it only when a policy and the user both say so. Raises ``PlanRefused``.

    A container's ports are published on all addresses then; a native server is told to listen there.
    """
    if not request.expose:
        return
    if not world.policy.expose:
        raise PlanRefused(
            f"{world.entry.manifest.name} may not be exposed to the network.",
            cause=world.policy.reasons.get(EXPOSE, "no policy allows network exposure"),
            remedy="leave --expose out; ssh -L reaches 127.0.0.1 from another machine",
        )
    if mode is Mode.NATIVE and not _takes_address(world):
        raise PlanRefused(
            f"{world.entry.manifest.name} cannot be exposed to the network natively.",
            cause="its manifest has no place for the address to listen on ({host})",
            remedy="--mode container, or ssh -L from the other machine",
        )
    reason = f"you asked for it, and {world.policy.reasons[EXPOSE]}"
    decisions.append(Decision("exposure", "all addresses", reason, override=True))


def _takes_address(world: World) -> bool:
    part = lower.native(world.entry.manifest)
    return "host" in names_in([*part.argv, *part.env.values()])


def warn_exposed(spec: LaunchSpec) -> tuple[str, ...]:
    """Who can reach it then, and whether a key stands in between."""
    if not spec.exposed:
        return ()
    ports = ", ".join(str(port.host) for port in spec.ports)
    guard = "with its key" if spec.secrets else "without any key"
    who = "every machine that can reach this one may use"
    return (f"{who} {spec.name} on port {ports}, {guard} and without encryption",)
