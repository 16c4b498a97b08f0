"""
Whether a model fits into memory: plain arithmetic over what its header says, always with the breakdown.

The formulas are upper bounds for llama.cpp with flash attention. Weights are counted whole although mapped pages can
be given back: a model that is read from disk for each word is not what anybody means by running.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from las_jupyter.core.quantities import format_size
from las_jupyter.resources.gguf_info import GgufFacts

MIB = 2**20
PROCESS_RAM = 64 * MIB  # measured: the program and its libraries
WORD_RAM = 400  # measured: the tokenizer's tables, for each word of the vocabulary
DEVICE_VRAM = 250 * MIB  # the same for a CUDA context
DEVICE_MARGIN = 1024 * MIB  # what llama.cpp's own --fit leaves free on each device
PAD = 256  # llama.cpp pads the context to this with flash attention
LEAST_CONTEXT = 4096  # as --fit-ctx: less is of little use
UBATCH = 512
ELEMENT_BYTES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32,
    "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip


class Verdict(StrEnum):
    """*fits* leaves the margin free, *tight* does not, *will not fit* is more than there is."""

    FITS = "fits"
    TIGHT = "tight"
    WILL_NOT_FIT = "will not fit"


class Shape(NamedTuple):
    """How the model is to be served: tokens of context altogether, sequences at once, and types of the KV cache."""

    context: int
    slots: int = 1
    key_type: str = "f16"
    value_type: str = "f16"


class Need(NamedTuple):
    """What is needed, in bytes."""

    weights: int
    cache: int
    compute: int
    program: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)

    @property
    def text(self) -> str:
        """The breakdown in words."""
        parts = (f"{format_size(value)} {name}" for name, value in zip(self._fields, self, strict=True))
        return f"{format_size(self.total)} ({', '.join(parts)})"


def cache_bytes(facts: GgufFacts, shape: Shape, layers: range | None = None) -> int:
    """
    The KV cache of ``layers`` (all).

    Grouped heads: Σ over layers of heads_kv·(key_length·bytes + value_length·bytes)·context, from llama.cpp's
    ``llama-kv-cache``; compressed (MLA): one latent of kv_lora_rank + rope a token and layer, once and not twice;
    a windowed layer keeps window·slots + ubatch tokens at most; recurrent state does not grow with the context.
    """
    tokens = _padded(shape.context)
    key, value = ELEMENT_BYTES.get(shape.key_type, 4.0), ELEMENT_BYTES.get(shape.value_type, 4.0)
    found = 0.0
    for index in layers or range(facts.layers):
        heads = facts.heads_kv[index]
        if not heads:
            continue
        inside = bool(facts.windowed) and facts.windowed[index]
        kept = min(tokens, _padded(facts.window * shape.slots + UBATCH)) if inside else tokens
        each = facts.latent * key if facts.latent else heads * (facts.key_length * key + facts.value_length * value)
        found += each * kept
    return math.ceil(found) + facts.state_bytes * shape.slots


def compute_bytes(facts: GgufFacts, context: int) -> int:
    """
    The scratch of one batch: the larger of the layers' and the output's, and the attention mask.

    max(4·ubatch·(1 + 4·embedding), 4·ubatch·(embedding + vocabulary)) by gguf-parser, without the term of
    context·heads that flash attention removes; the mask of context·ubatch stays.
    """
    inner = 4 * UBATCH * (1 + 4 * facts.embedding)
    outer = 4 * UBATCH * (facts.embedding + facts.vocabulary)
    return max(inner, outer) + 4 * UBATCH * _padded(context)


def host_compute_bytes(facts: GgufFacts, shape: Shape) -> int:
    """
    The same by a processor, where memory that was reserved and never written is not used.

    The scratch for the output is reserved for a whole batch, and one row a sequence is written. What a batch
    writes between two layers was measured to be four times the formula's inner part at most.
    """
    inner = 4 * 4 * UBATCH * (1 + 4 * facts.embedding)
    outer = 4 * shape.slots * (facts.embedding + facts.vocabulary)
    return inner + outer + 4 * UBATCH * _padded(shape.context)


def need_of(facts: GgufFacts, shape: Shape) -> Need:
    """What serving the model by the processor alone needs."""
    program = PROCESS_RAM + WORD_RAM * facts.vocabulary
    return Need(facts.weights, cache_bytes(facts, shape), host_compute_bytes(facts, shape), program)


def judge_fit(needed: int, free: int, margin: int) -> Verdict:
    """The verdict on ``needed`` bytes where ``free`` are."""
    if needed > free:
        return Verdict.WILL_NOT_FIT
    return Verdict.FITS if needed <= free - margin else Verdict.TIGHT


def largest_context(facts: GgufFacts, shape: Shape, room: int) -> int:
    """The largest context up to ``shape.context`` whose need is within ``room``; 0 when not even one block is."""
    return largest(shape.context, lambda context: need_of(facts, shape._replace(context=context)).total <= room)


def largest(most: int, fits: Callable[[int], bool], step: int = PAD) -> int:
    """``most``, or the largest multiple of ``step`` below it that ``fits``; 0 when none does."""
    if fits(most):
        return most
    low, high = 0, most // step
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle * step):
            low = middle
        else:
            high = middle - 1
    return low * step


def device_need(facts: GgufFacts, shape: Shape, layers: int) -> int:
    """
    Bytes on one GPU with the last ``layers`` layers on it, the output too when these are all.

    The embedding table stays in RAM; a tied output is loaded a second time for the GPU.
    """
    if layers == 0:
        return 0
    chosen = range(facts.layers - layers, facts.layers)
    weights = sum(facts.layer_bytes[index] for index in chosen)
    if layers == facts.layers:
        weights += facts.other_bytes + (facts.embedding_bytes if facts.tied else 0)
    return weights + cache_bytes(facts, shape, chosen) + compute_bytes(facts, shape.context) + DEVICE_VRAM


def most_layers(facts: GgufFacts, shape: Shape, room: int) -> int:
    """How many layers can be on a GPU with ``room`` bytes."""
    return largest(facts.layers, lambda layers: device_need(facts, shape, layers) <= room, 1)


def vllm_utilisation(total: int, free: int, margin: int = DEVICE_MARGIN) -> float | None:
    """
    The share of a GPU that vLLM may claim: what is free now without the margin, 0.92 at most; None when nothing is.

    It claims total·share at its start and refuses when less is free, so the share comes from free memory and not
    from a table by model of GPU. Rounded down to hundredths.
    """
    share = math.floor(min(0.92, (free - margin) / total) * 100) / 100 if total > 0 else 0.0
    return share if share > 0 else None


def _padded(tokens: int) -> int:
    return -(-tokens // PAD) * PAD
