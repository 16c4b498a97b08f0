"""
Fitting for engines that claim their memory at the start: the share of each GPU, or the cache a processor gets.

The claim comes from what is free now, and the context that nobody set is made to fit into the claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision, Gpus, Limits
from las_jupyter.core.quantities import format_size
from las_jupyter.planning import given
from las_jupyter.planning.room import Fitted, MeasuredFor, Room, Values, known, margin, refuse, room_for, warn
from las_jupyter.resources import fit, vllm_fit
from las_jupyter.resources.fit import Need
from las_jupyter.resources.vllm_fit import GIB, Serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World
    from las_jupyter.resources.model_config import Attention
    from las_jupyter.resources.safetensors_info import SafetensorsFacts

_CONTEXT = ("--max-model-len", "--context-length")
_SHARE = ("--gpu-memory-utilization", "--mem-fraction-static")
_SPLIT = ("--tensor-parallel-size", "-tp", "--tp", "--tp-size")
_BATCH = ("--max-num-batched-tokens",)
_CACHE_TYPE = ("--kv-cache-dtype",)
_CPU_CACHE = ("VLLM_CPU_KVCACHE_SPACE",)
_CACHE_BYTES = ("--kv-cache-memory-bytes", "--kv-cache-memory")
_LEAST_CONTEXT = 2048
_BLOCK = 16
_MOST_UNASKED_GIB = 4  # a cache for several requests at once, where there is room for it


def fit_claimed(
    request: StartRequest,
    world: World,
    gpus: Gpus,
    limits: Limits,
    takes: set[str],
    decisions: list[Decision],
    measured: MeasuredFor,
) -> Fitted:
    """Decide about the claim and the context. Raises ``PlanRefused`` when the model cannot fit and nobody insists."""
    facts = world.model.tensors if world.model else None
    memory = [world.machine.gpu_memory[each] for each in gpus.ids if each in world.machine.gpu_memory]
    if gpus.ids:
        return _on_gpus(request, world, facts, memory, takes, decisions) if memory else Fitted()
    if facts is None or facts.attention is None or "cpu_cache_gib" not in takes:
        return Fitted()
    return _on_cpu(request, world, facts, facts.attention, limits, takes, decisions, measured)


# ---- GPUs


def _on_gpus(
    request: StartRequest,
    world: World,
    facts: SafetensorsFacts | None,
    memory: list[tuple[int, int]],
    takes: set[str],
    decisions: list[Decision],
) -> Fitted:
    shares = [fit.vllm_utilisation(total, left) for left, total in memory]
    set_by_user = _fraction(given.word(request, _SHARE))
    least, total = min(memory)
    values: Values = {}
    if given.word(request, _SHARE) is None:
        if None in shares:
            return Fitted(warnings=("next to nothing is free on a GPU; %las status says who has it",))
        share = min(each for each in shares if each is not None)
        values["gpu_memory_utilization"] = f"{share:.2f}"
        reason = (
            f"{format_size(least)} of {format_size(total)} are free, and a margin of "
            f"{format_size(fit.DEVICE_MARGIN)} stays"
        )
        decisions.append(Decision("share of GPU memory", f"{share:.2f}", reason))
    elif set_by_user is None:
        return Fitted()
    else:
        share = set_by_user
    if facts is None or facts.attention is None:
        return Fitted(values)
    claim = int(share * min(total for _, total in memory))
    return _into_claim(request, world, facts, facts.attention, claim, memory, values, takes, decisions)


def _into_claim(
    request: StartRequest,
    world: World,
    facts: SafetensorsFacts,
    shape: Attention,
    claim: int,
    memory: list[tuple[int, int]],
    values: Values,
    takes: set[str],
    decisions: list[Decision],
) -> Fitted:
    serving = _serving(request, shape, given.number(request, _SPLIT) or len(memory))

    def need(context: int) -> Need:
        return vllm_fit.need_on_gpu(facts, shape, serving._replace(context=context))

    context = _context(request, serving.context, need, (claim - claim // 20, claim), takes, values, decisions)
    needed = need(context)
    each = " on each GPU" if serving.split > 1 else ""
    told = f"{needed.text}{each} for {context} tokens of context; {format_size(claim)} will be claimed"
    verdict = fit.judge_fit(needed.total, claim, claim // 20)
    most = min(total for _, total in memory)
    if needed.total > most:
        if not request.overcommit:
            raise PlanRefused(
                f"{world.model.text if world.model else 'The model'} will not fit on the GPU.",
                cause=f"it needs {needed.text}{each} for {context} tokens of context; a GPU has {format_size(most)}",
                remedy=_smaller_remedy(fit.largest(context, lambda tokens: need(tokens).total <= claim, _BLOCK)),
            )
        told += ": overcommitted as you said"
    decisions.append(Decision("fit", verdict, told))
    return Fitted(values, None, warn(world, verdict, told))


def _smaller_remedy(possible: int) -> str:
    smaller = f"-- --max-model-len {possible:d} fits, or " if possible else ""
    return f"{smaller}more GPUs, or a smaller model or quantisation; --overcommit starts it all the same"


# ---- the processor


def _on_cpu(
    request: StartRequest,
    world: World,
    facts: SafetensorsFacts,
    shape: Attention,
    limits: Limits,
    takes: set[str],
    decisions: list[Decision],
    measured: MeasuredFor,
) -> Fitted:
    room = room_for(world, limits)
    serving = _serving(request, shape, 1)
    values: Values = {}
    cache = _cache_of_user(request)

    def need(context: int) -> Need:
        return vllm_fit.need_on_cpu(facts, shape, serving._replace(context=context), cache)

    if cache is None:
        rooms = (room.now - margin(room.now), room.now, room.most)
        context = _context(request, serving.context, need, rooms, takes, values, decisions)
        gib = _cache_gib(vllm_fit.whole_gib(shape, serving._replace(context=context)), need(context), room)
        values["cpu_cache_gib"] = str(gib)
        needed = need(context)._replace(cache=gib * GIB)
        one = format_size(vllm_fit.cache_bytes(shape, serving._replace(context=context)))
        reason = f"one request of {context} tokens takes {one}; {format_size(room.now)} can be had"
        decisions.append(Decision("KV cache", f"{gib} GiB", reason))
    else:
        context, needed = serving.context, need(serving.context)
    used = known(needed, measured(values))
    words = f"{used.text} for {context} tokens of context"
    told = f"{words}; {format_size(room.now)} can be had"
    if used.total > room.most:
        possible = fit.largest(context, lambda tokens: need(tokens).total <= room.most, _BLOCK)
        told += refuse(request, world, words, room, limits, "--max-model-len", possible if possible < context else 0)
    verdict = fit.judge_fit(used.total, room.now, margin(room.now))
    decisions.append(Decision("fit", verdict, told))
    warnings = warn(world, verdict, told)
    one_request = vllm_fit.cache_bytes(shape, serving._replace(context=context))
    if cache is not None and one_request > cache:
        holds = fit.largest(
            context, lambda tokens: vllm_fit.cache_bytes(shape, serving._replace(context=tokens)) <= cache, _BLOCK
        )
        warnings += (
            f"the cache of {format_size(cache)} holds no request of {context} tokens, which takes "
            f"{format_size(one_request)}: -- --max-model-len {holds}",
        )
    return Fitted(values, used.total, warnings)


def _cache_gib(least: int, need: Need, room: Room) -> int:
    """More than one request of full length needs, where that still leaves the margin."""
    spare = (room.now - margin(room.now) - (need.total - need.cache)) // GIB
    return max(least, min(_MOST_UNASKED_GIB, spare))


def _cache_of_user(request: StartRequest) -> int | None:
    gib = given.number(request, _CPU_CACHE)
    exact = given.number(request, _CACHE_BYTES)
    return exact if exact is not None else gib * GIB if gib else None


# ---- both


def _context(
    request: StartRequest,
    own: int,
    need: Callable[[int], Need],
    rooms: tuple[int, ...],
    takes: set[str],
    values: Values,
    decisions: list[Decision],
) -> int:
    """The user's context, or the largest up to the model's own that fits the first room in which one of use does."""
    if "context" not in takes or given.word(request, _CONTEXT) is not None:
        return own
    least = min(_LEAST_CONTEXT, own)
    fitting = (fit.largest(own, lambda tokens, room=room: need(tokens).total <= room, _BLOCK) for room in rooms)  # type: ignore[misc]
    chosen = next((found for found in fitting if found >= least), least)
    if chosen < own:
        reason = f"the largest that fits; the model's own {own} would need {format_size(need(own).total)}"
        decisions.append(Decision("context", str(chosen), reason))
        values["context"] = str(chosen)
    return chosen


def _serving(request: StartRequest, shape: Attention, split: int) -> Serving:
    eight_bits = (given.word(request, _CACHE_TYPE) or "").startswith("fp8")
    return Serving(
        given.number(request, _CONTEXT) or shape.context or _LEAST_CONTEXT,
        element=1.0 if eight_bits else None,
        split=max(1, split),
        batch=given.number(request, _BATCH) or vllm_fit.BATCH,
        graphs="--enforce-eager" not in request.args,
    )


def _fraction(word: str | None) -> float | None:
    try:
        value = float(word) if word is not None else 0.0
    except ValueError:
        return None
    return value if 0 < value <= 1 else None
