"""
Whether the model fits, and with how much context: decided before anything is loaded, and told with the numbers.

What the user set is never changed. A context that nobody set is made smaller until the model fits. More than this
machine or the given limit has is refused; what is only not free at the moment is a warning, for programs end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision, Gpus, Limits
from las_jupyter.core.quantities import format_size
from las_jupyter.resources import fit
from las_jupyter.resources.fit import Shape, Verdict

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World
    from las_jupyter.resources.gguf_info import GgufFacts

_MOST_MARGIN = 512 * fit.MIB
_CONTEXT = ("-c", "--ctx-size", "LLAMA_ARG_CTX_SIZE")
_SLOTS = ("-np", "--parallel", "LLAMA_ARG_N_PARALLEL")
_KEY_TYPE = ("-ctk", "--cache-type-k", "LLAMA_ARG_CACHE_TYPE_K")
_VALUE_TYPE = ("-ctv", "--cache-type-v", "LLAMA_ARG_CACHE_TYPE_V")
_SHARE = ("--gpu-memory-utilization",)


class Fitted(NamedTuple):
    """
    What came of it: values for the manifest's names, the bytes this start will need, and warnings.

    ``values`` depend on what is free at the moment, so they are no part of what makes the server.
    """

    values: dict[str, str | tuple[str, ...]] = {}
    need: int | None = None
    warnings: tuple[str, ...] = ()


def fit_model(
    request: StartRequest, world: World, gpus: Gpus, limits: Limits, takes: set[str], decisions: list[Decision]
) -> Fitted:
    """
    Decide about memory and context; ``takes`` are the names the manifest's command line has a place for.

    Raises ``PlanRefused`` when the model cannot fit and nobody insists.
    """
    facts = world.model.facts if world.model else None
    free = [world.machine.gpu_memory[each] for each in gpus.ids if each in world.machine.gpu_memory]
    if free and "gpu_memory_utilization" in takes:
        return _share(request, free, decisions)
    if facts is None or facts.parts > 1:
        return Fitted()
    if gpus.ids:
        _tell_layers(request, facts, free, decisions)
        return Fitted()
    return _in_memory(request, world, facts, limits, decisions, may_shrink="context" in takes)


def _in_memory(
    request: StartRequest,
    world: World,
    facts: GgufFacts,
    limits: Limits,
    decisions: list[Decision],
    *,
    may_shrink: bool,
) -> Fitted:
    promised = sum(spec.memory_promised or 0 for snapshot, spec in world.running if snapshot.state.alive)
    room = limits.memory or max(0, world.machine.memory_total - promised)
    now = min(room, world.machine.memory_available)
    set_by_user = _number(request, _CONTEXT)
    shape = _shape(request, facts)
    values: dict[str, str | tuple[str, ...]] = {}
    if may_shrink and not set_by_user:
        smaller = _smaller(facts, shape, (now - _margin(now), now, room))
        if smaller < shape.context:
            own = fit.need_of(facts, shape)
            reason = f"the model's own {shape.context} would need {format_size(own.total)}"
            decisions.append(Decision("context", str(smaller), reason))
            shape, values = shape._replace(context=smaller), {"context": str(smaller)}
    need = fit.need_of(facts, shape)
    verdict = fit.judge_fit(need.total, now, _margin(now))
    told = f"{need.text} for {shape.context} tokens of context; {format_size(now)} can be had"
    if need.total > room:
        told += _refuse(request, world, need, room, shape, limits, promised)
    decisions.append(Decision("fit", verdict, told, override=need.total > room))
    warning = f"{world.model.text if world.model else 'the model'} {_says(verdict)}: it needs {told}"
    return Fitted(values, need.total, () if verdict is Verdict.FITS else (warning,))


def _margin(free: int) -> int:
    """What is better left to others: an eighth, and no more than half a gibibyte."""
    return min(_MOST_MARGIN, free // 8)


def _smaller(facts: GgufFacts, shape: Shape, rooms: tuple[int, ...]) -> int:
    """The largest context that fits the first of ``rooms`` in which one of use does, else the least that is of use."""
    least = min(fit.LEAST_CONTEXT, shape.context)
    return next((found for room in rooms if (found := fit.largest_context(facts, shape, room)) >= least), least)


def _refuse(
    request: StartRequest,
    world: World,
    need: fit.Need,
    room: int,
    shape: Shape,
    limits: Limits,
    promised: int,
) -> str:
    """What is recorded when the user insists; raises ``PlanRefused`` otherwise."""
    assert world.model is not None
    assert world.model.facts is not None
    if request.overcommit:
        return f", and {format_size(room)} at most: overcommitted as you said"
    where = "the limit" if limits.memory else f"this machine has {format_size(world.machine.memory_total)}"
    of = f"{where} is {format_size(room)}" if limits.memory else f"{where}, {format_size(promised)} of it are promised"
    possible = fit.largest_context(world.model.facts, shape, room)
    smaller = f"-- --ctx-size {possible} fits, or " if 0 < possible < shape.context else ""
    raise PlanRefused(
        f"{world.model.text} will not fit into memory.",
        cause=f"it needs {need.text} for {shape.context} tokens of context, and {of}",
        remedy=f"{smaller}a smaller model or quantisation; --overcommit starts it all the same",
    )


def _says(verdict: Verdict) -> str:
    return "is a tight fit" if verdict is Verdict.TIGHT else "does not fit into what is free now"


def _tell_layers(
    request: StartRequest, facts: GgufFacts, free: list[tuple[int, int]], decisions: list[Decision]
) -> None:
    """Say how much of the model the GPUs take; llama.cpp places it by itself, with the real sizes."""
    if not free:
        return
    room = sum(max(0, left - fit.DEVICE_MARGIN) for left, _ in free) - (len(free) - 1) * fit.DEVICE_VRAM
    shape = _shape(request, facts)
    layers = fit.most_layers(facts, shape, room)
    have = f"{format_size(sum(left for left, _ in free))} are free"
    if layers == facts.layers:
        needed = format_size(fit.device_need(facts, shape, layers))
        decisions.append(Decision("fit", "fits", f"all {layers} layers need {needed} on the GPU; {have}"))
        return
    reason = f"{layers} of {facts.layers} layers fit on the GPU with {shape.context} tokens of context; {have}"
    decisions.append(Decision("fit", "tight", reason))


def _share(request: StartRequest, free: list[tuple[int, int]], decisions: list[Decision]) -> Fitted:
    """The share of each GPU that may be claimed, for engines that claim a share at their start."""
    if _word(request, _SHARE) is not None:
        return Fitted()
    shares = [fit.vllm_utilisation(total, left) for left, total in free]
    known = [each for each in shares if each is not None]
    if len(known) < len(shares):
        return Fitted(warnings=("next to nothing is free on a GPU; %las status says who has it",))
    share = f"{min(known):.2f}"
    least = format_size(min(left for left, _ in free))
    decisions.append(Decision("share of GPU memory", share, f"{least} are free, and a margin stays"))
    return Fitted({"gpu_memory_utilization": share})


def _shape(request: StartRequest, facts: GgufFacts) -> Shape:
    context = _number(request, _CONTEXT) or facts.context or fit.LEAST_CONTEXT
    return Shape(
        context,
        max(1, _number(request, _SLOTS) or 1),
        _word(request, _KEY_TYPE) or "f16",
        _word(request, _VALUE_TYPE) or "f16",
    )


def _number(request: StartRequest, names: tuple[str, ...]) -> int | None:
    """What the user gave, or None; a number that is none is for the engine to refuse in its own words."""
    word = _word(request, names)
    return int(word) if word is not None and word.isascii() and word.isdigit() and len(word) < 12 else None


def _word(request: StartRequest, names: tuple[str, ...]) -> str | None:
    """The last word given for an option, in any of its spellings, its variable included."""
    found = next((request.env[name] for name in names if name in request.env), None)
    for at, word in enumerate(request.args):
        name, equals, value = word.partition("=")
        if name in names:
            found = value if equals else next(iter(request.args[at + 1 : at + 2]), None)
    return found
