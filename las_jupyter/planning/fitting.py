"""
Whether the model fits, and with how much context: decided before anything is loaded, and told with the numbers.

What the user set is never changed. A context that nobody set is made smaller until the model fits, and of a model
that is larger than the GPU only the layers that fit go there. More than this machine or the given limit has is
refused; what is only not free at the moment is a warning, for programs end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.launch import Decision, Gpus, Limits
from las_jupyter.core.quantities import format_size
from las_jupyter.planning import given
from las_jupyter.planning.fitting_vllm import fit_claimed
from las_jupyter.planning.room import Fitted, MeasuredFor, Values, known, margin, refuse, room_for, warn
from las_jupyter.resources import fit
from las_jupyter.resources.fit import Shape

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World
    from las_jupyter.resources.gguf_info import GgufFacts

_CONTEXT = ("-c", "--ctx-size", "LLAMA_ARG_CTX_SIZE")
_SLOTS = ("-np", "--parallel", "LLAMA_ARG_N_PARALLEL")
_KEY_TYPE = ("-ctk", "--cache-type-k", "LLAMA_ARG_CACHE_TYPE_K")
_VALUE_TYPE = ("-ctv", "--cache-type-v", "LLAMA_ARG_CACHE_TYPE_V")
_LAYERS = ("-ngl", "--gpu-layers", "--n-gpu-layers", "LLAMA_ARG_N_GPU_LAYERS")
_PROMPTS = ("-cram", "--cache-ram", "LLAMA_ARG_CACHE_RAM")
_LEAST_PROMPTS, _MOST_PROMPTS = 256 * fit.MIB, 1024 * fit.MIB
_SLOTS_OF_THE_ENGINE = 4
_CLAIMS = {"gpu_memory_utilization", "cpu_cache_gib"}


def fit_model(
    request: StartRequest,
    world: World,
    gpus: Gpus,
    limits: Limits,
    takes: set[str],
    decisions: list[Decision],
    measured: MeasuredFor,
) -> Fitted:
    """
    Decide about memory and context; ``takes`` are the names the manifest has a place for.

    Raises ``PlanRefused`` when the model cannot fit and nobody insists.
    """
    if takes & _CLAIMS:
        return fit_claimed(request, world, gpus, limits, takes, decisions, measured)
    fitted = _placed(request, world, gpus, limits, takes, decisions, measured)
    if "prompt_cache_mib" not in takes:
        return fitted
    return _with_kept_prompts(request, world, limits, fitted, decisions)


def _placed(
    request: StartRequest,
    world: World,
    gpus: Gpus,
    limits: Limits,
    takes: set[str],
    decisions: list[Decision],
    measured: MeasuredFor,
) -> Fitted:
    facts = world.model.facts if world.model else None
    free = [world.machine.gpu_memory[each] for each in gpus.ids if each in world.machine.gpu_memory]
    if facts is None or facts.parts > 1:
        return Fitted()
    if gpus.ids:
        return _on_gpus(request, world, facts, free, takes, decisions) if free else Fitted()
    return _in_memory(request, world, facts, limits, decisions, measured, may_shrink="context" in takes)


def _with_kept_prompts(
    request: StartRequest, world: World, limits: Limits, fitted: Fitted, decisions: list[Decision]
) -> Fitted:
    """
    How much memory the engine may use for prompts it keeps: its own 8 GiB would pass whatever was promised.

    One whole context between 256 MiB and 1 GiB, and none where the margin would suffer.
    """
    set_by_user = given.number(request, _PROMPTS)
    if given.word(request, _PROMPTS) is not None:
        more = (set_by_user or 0) * fit.MIB
        return fitted if fitted.need is None else fitted._replace(need=fitted.need + more)
    room = room_for(world, limits)
    facts = world.model.facts if world.model else None
    context = fitted.values.get("context")
    wanted = _LEAST_PROMPTS
    if facts is not None:
        shape = _shape(request, facts)
        shape = shape._replace(context=int(context)) if isinstance(context, str) else shape
        wanted = min(_MOST_PROMPTS, max(_LEAST_PROMPTS, fit.cache_bytes(facts, shape)))
    fits = (fitted.need or 0) + wanted <= room.now - margin(room.now)
    chosen = wanted // fit.MIB if fits else 0
    why = "a small part of the engine's own 8 GiB" if fits else "beside the model there is no room to keep any"
    decisions.append(Decision("kept prompts", f"{chosen} MiB", f"{why}; {_PROMPTS[1]} sets another size"))
    need = None if fitted.need is None else fitted.need + chosen * fit.MIB
    return fitted._replace(values={**fitted.values, "prompt_cache_mib": str(chosen)}, need=need)


def _in_memory(
    request: StartRequest,
    world: World,
    facts: GgufFacts,
    limits: Limits,
    decisions: list[Decision],
    measured: MeasuredFor,
    *,
    may_shrink: bool,
) -> Fitted:
    room = room_for(world, limits)
    shape = _shape(request, facts)
    values: Values = {}
    usual = known(fit.need_of(facts, shape), measured(values))
    if may_shrink and not given.number(request, _CONTEXT) and usual.total > room.now - margin(room.now):
        smaller = _smaller(facts, shape, (room.now - margin(room.now), room.now, room.most))
        if smaller < shape.context:
            reason = f"the largest that fits; the model's own {shape.context} would need {format_size(usual.total)}"
            decisions.append(Decision("context", str(smaller), reason))
            shape, values = shape._replace(context=smaller), {"context": str(smaller)}
    need = known(fit.need_of(facts, shape), measured(values))
    verdict = fit.judge_fit(need.total, room.now, margin(room.now))
    words = f"{need.text} for {shape.context} tokens of context"
    told = f"{words}; {format_size(room.now)} can be had"
    if need.total > room.most:
        possible = fit.largest_context(facts, shape, room.most)
        told += refuse(request, world, words, room, limits, "--ctx-size", possible if possible < shape.context else 0)
    decisions.append(Decision("fit", verdict, told, override=need.total > room.most))
    return Fitted(values, need.total, warn(world, verdict, told))


def _smaller(facts: GgufFacts, shape: Shape, rooms: tuple[int, ...]) -> int:
    """The largest context that fits the first of ``rooms`` in which one of use does, else the least that is of use."""
    least = min(fit.LEAST_CONTEXT, shape.context)
    return next((found for room in rooms if (found := fit.largest_context(facts, shape, room)) >= least), least)


def _on_gpus(
    request: StartRequest,
    world: World,
    facts: GgufFacts,
    free: list[tuple[int, int]],
    takes: set[str],
    decisions: list[Decision],
) -> Fitted:
    """
    How much of the model the GPUs take. The context gives way first, as in llama.cpp's own fitting, then the layers.

    Nothing is refused: what does not fit on the GPU is served by the processor.
    """
    room = sum(max(0, left - fit.DEVICE_MARGIN) for left, _ in free) - (len(free) - 1) * fit.DEVICE_VRAM
    have = f"{format_size(sum(left for left, _ in free))} are free"
    shape = _shape(request, facts)
    values: Values = {}
    if "context" in takes and not given.number(request, _CONTEXT) and given.word(request, _LAYERS) is None:
        shape = _context_on_gpus(facts, shape, room, have, values, decisions)
    most = fit.most_layers(facts, shape, room)
    asked = _asked_layers(request, facts)
    layers = most if asked is None else asked
    needed = format_size(fit.device_need(facts, shape, layers))
    of = f"all {layers} layers need" if layers == facts.layers else f"{layers} of {facts.layers} layers need"
    told = f"{of} {needed} on the GPU with {shape.context} tokens of context; {have}"
    if asked is not None and asked > most:
        told += f", enough for {most}"
        warning = f"{world.model.text if world.model else 'the model'} does not fit on the GPU as you asked: {told}"
        decisions.append(Decision("fit", "will not fit", told))
        return Fitted(values, None, (warning,))
    if asked is None and most < facts.layers and "gpu_layers" in takes:
        values["gpu_layers"] = str(most)
        reason = f"{most} of {facts.layers} layers fit on the GPU; the processor serves the others"
        decisions.append(Decision("GPU layers", str(most), reason))
    decisions.append(Decision("fit", "fits" if most == facts.layers else "tight", told))
    return Fitted(values)


def _context_on_gpus(
    facts: GgufFacts,
    shape: Shape,
    room: int,
    have: str,
    values: Values,
    decisions: list[Decision],
) -> Shape:
    """The largest context with which the whole model is on the GPUs, else the least that is of use."""
    found = fit.largest(
        shape.context,
        lambda context: fit.device_need(facts, shape._replace(context=context), facts.layers) <= room,
    )
    chosen = max(found, min(fit.LEAST_CONTEXT, shape.context))
    if chosen < shape.context:
        own = format_size(fit.device_need(facts, shape, facts.layers))
        reason = f"the model's own {shape.context} would need {own} on the GPU; {have}"
        decisions.append(Decision("context", str(chosen), reason))
        values["context"] = str(chosen)
    return shape._replace(context=chosen)


def _asked_layers(request: StartRequest, facts: GgufFacts) -> int | None:
    if given.word(request, _LAYERS) == "all":
        return facts.layers
    asked = given.number(request, _LAYERS)
    return None if asked is None else min(asked, facts.layers)


def _shape(request: StartRequest, facts: GgufFacts) -> Shape:
    context = given.number(request, _CONTEXT) or facts.context or fit.LEAST_CONTEXT
    return Shape(
        context,
        max(1, given.number(request, _SLOTS) or _SLOTS_OF_THE_ENGINE),
        given.word(request, _KEY_TYPE) or "f16",
        given.word(request, _VALUE_TYPE) or "f16",
    )
