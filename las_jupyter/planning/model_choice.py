"""
Where a policy bounds the size of a model: extra words for the engine that choose a model which nobody measured.

Engines have new such words with every version, so that this goes by what the words are made of. It keeps a person who
uses las_jupyter from passing the bound unawares; no list of words can bind somebody who wants to pass it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import PlanRefused

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World

_CHOOSES = frozenset(
    {"model", "models", "hf", "hfr", "hfd", "hff", "hfv", "repo", "url", "draft", "preset", "docker", "redirect",
     "path", "config", "modelscope", "lora", "adapter", "adapters", "mmproj", "speculative", "weights", "checkpoint"}
)  # fmt: skip
"""Parts of the names of options and variables: ``--hf-repo``, ``LLAMA_ARG_MODEL_URL``, ``--speculative-config``."""
_SHORT = ("m", "mu", "hf", "hfr", "hff", "hfd", "hfv", "dr", "md", "mm")
"""llama.cpp's own, written with one dash."""
_READY_MADE = re.compile(r".+-(default|spec)$")
"""llama.cpp's ``--gpt-oss-20b-default`` fetches that model."""
_HARMLESS = frozenset(
    {"max-model-len", "hf-token", "log-config-file", "draft-max", "draft-min", "model-impl", "no-mmproj", "root-path",
     "hf-home", "no-mmproj-auto", "no-mmproj-offload", "mmproj-offload", "jinja-path"}
)  # fmt: skip
_SHORTEST_ABBREVIATION = 3


def check_model_choice(request: StartRequest, world: World) -> None:
    """Raise ``PlanRefused`` for an argument or a variable that can choose a model, where a policy bounds its size."""
    if world.policy.max_parameters is None or not _serves_models(world):
        return
    for found in (*_options(request.args), *_variables(request.env)):
        raise PlanRefused(
            f"{word(found)} may not be given here.",
            cause=f"it can choose another model, and {world.policy.reasons['model']}",
            remedy=f"%las start {word(world.entry.manifest.name)} --model with the model that is meant",
        )


def _serves_models(world: World) -> bool:
    return world.entry.manifest.model is not None or world.entry.manifest.category == "runtime"


def _options(args: Iterable[str]) -> list[str]:
    words = [part for text in args for part in text.split()]
    return [each for each in words if each.startswith("-") and chooses_model(each)]


def chooses_model(option: str) -> bool:
    """Whether an option, as it is typed, can choose a model."""
    typed = option.partition("=")[0]
    if typed.startswith("-") and not typed.startswith("--") and typed[1:] in _SHORT:
        return True
    name = typed.lstrip("-").lower().replace("_", "-")
    if name in _HARMLESS:
        return False
    parts = name.split("-")
    # argparse takes any beginning of an option.
    begun = len(parts) == 1 and len(name) >= _SHORTEST_ABBREVIATION and any(each.startswith(name) for each in _CHOOSES)
    return bool(_CHOOSES & set(parts)) or begun or _READY_MADE.match(name) is not None


def _variables(names: Iterable[str]) -> list[str]:
    return [name for name in names if variable_chooses_model(name)]


def variable_chooses_model(name: str) -> bool:
    """Whether an environment variable can choose a model: ``LLAMA_ARG_HF_REPO``, ``VLLM_MODEL_REDIRECT_PATH``."""
    bare = name.lower().replace("_", "-")
    return bare not in _HARMLESS and bool((_CHOOSES - {"path", "url"}) & set(bare.split("-")))
