"""
What serving safetensors by vLLM needs: plain arithmetic, upper bounds, always with the breakdown.

An engine of this kind claims its memory at the start and takes what is left of the claim for its cache, which must
hold one request of full length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.resources.fit import MIB, Need

if TYPE_CHECKING:
    from las_jupyter.resources.model_config import Attention
    from las_jupyter.resources.safetensors_info import SafetensorsFacts

GIB = 2**30
DEVICE_CONTEXT = 512 * MIB  # CUDA's own and the libraries' workspaces
GRAPHS = 512 * MIB  # none with --enforce-eager
PROCESSES = 1400 * MIB  # measured: API server, engine and one worker, which each import torch
BATCH = 2048  # tokens of one step, vLLM's own default for a server
_SEQUENCES_SAMPLED = 256  # --max-num-seqs


class Serving(NamedTuple):
    """
    How it is to be served: tokens of context, and how many requests of that length the cache is to hold.

    ``element`` is the size of one number of the cache in bytes, None for the model's own; ``split`` the GPUs that
    share the model.
    """

    context: int
    sequences: int = 1
    element: float | None = None
    split: int = 1
    batch: int = BATCH
    graphs: bool = True


def cache_bytes(shape: Attention, serving: Serving) -> int:
    """The cache of each GPU. Heads are divided between GPUs, a compressed entry is kept whole by each."""
    heads = max(shape.heads_kv, default=0)
    parts = 1 if shape.latent else max(1, min(serving.split, heads))
    whole = shape.cache_bytes(serving.context, serving.sequences, serving.element, serving.batch)
    return -(-whole // parts)


def activation_bytes(shape: Attention, serving: Serving) -> int:
    """The peak of one step: the tokens between two layers, and the words' scores as they are sampled."""
    between = serving.batch * (4 * shape.hidden + 2 * shape.inner) * shape.element_bytes
    return between + 2 * 4 * _SEQUENCES_SAMPLED * shape.vocabulary


def need_on_gpu(facts: SafetensorsFacts, shape: Attention, serving: Serving) -> Need:
    """What each of the GPUs must have."""
    weights = -(-facts.weights // serving.split)
    constant = DEVICE_CONTEXT + (GRAPHS if serving.graphs else 0)
    return Need(weights, cache_bytes(shape, serving), activation_bytes(shape, serving), constant)


def need_on_cpu(facts: SafetensorsFacts, shape: Attention, serving: Serving, cache: int | None = None) -> Need:
    """What the machine must have; ``cache`` bytes, or the whole GiB that one request of full length takes."""
    if cache is None:
        cache = whole_gib(shape, serving) * GIB
    return Need(facts.weights, cache, activation_bytes(shape, serving), PROCESSES)


def whole_gib(shape: Attention, serving: Serving) -> int:
    """The cache in whole GiB, as vLLM takes it for a processor; 1 at least."""
    return max(1, -(-cache_bytes(shape, serving) // GIB))
