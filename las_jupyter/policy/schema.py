"""A policy file: LocalAIStack's ``policies.yaml`` as it is, plus allowed modes, ceilings and exposure."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from las_jupyter.core.quantities import parse_size
from las_jupyter.core.states import Mode

_PARAMETER_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_LARGEST = 2**60


def _least(value: object) -> int:
    return _size(value)


def _most(value: object) -> int:
    """
    A ceiling on what a machine has. A "16GB" card has 16 GiB less a little, so that a ceiling of 16GB must let it in.
    """
    if isinstance(value, str):
        bare = value.strip().lower()
        if bare.endswith("b") and not bare.endswith("ib") and bare[-2:-1] in "kmgt":
            value = f"{bare[:-1]}ib"
    return _size(value)


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("write a size like 24GB or 512MiB")
    size = parse_size(value)
    if not 0 <= size <= _LARGEST:
        raise ValueError(f"{value!r} is no size that a machine has")
    return size


def _parameters(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("write a model's size like 14B, or unlimited")
    text = str(value).strip()
    if text.lower() == "unlimited":
        return None
    unit = _PARAMETER_UNITS.get(text[-1:].upper())
    number = text[:-1] if unit else text
    try:
        count = float(number) * (unit or 1.0)
    except ValueError:
        count = -1.0
    if not 0 < count < 1e18:
        raise ValueError(f"{text!r} is no size of a model; write it like 14B, or unlimited")
    return count


Least = Annotated[int, BeforeValidator(_least)]
Most = Annotated[int, BeforeValidator(_most)]
Parameters = Annotated[float | None, BeforeValidator(_parameters)]


class Strict(BaseModel):
    """Unknown keys are errors: a rule that is misspelt must not be silently without effect."""

    model_config = ConfigDict(extra="forbid")


class ConditionRow(Strict):
    """The policy applies where all of these hold."""

    ram_min: Least | None = Field(None, description="memory of the machine, at least")
    ram_max: Most | None = Field(None, description="memory of the machine, at most")
    gpu_vram_min: Least | None = Field(None, description="memory of its largest GPU, at least")
    gpu_vram_max: Most | None = Field(None, description="memory of its largest GPU, at most; without a GPU it is 0")
    gpu_count_min: int | None = Field(None, ge=0, description="GPUs, at least")
    gpu_count_max: int | None = Field(None, ge=0, description="GPUs, at most")
    cpu_cores_min: int | None = Field(None, ge=0, description="processor cores, at least")
    cpu_cores_max: int | None = Field(None, ge=0, description="processor cores, at most")
    nvlink: bool | None = Field(None, description="whether its GPUs are joined by NVLink")


class AllowRow(Strict):
    """What is allowed; what is left out is not restricted by this policy."""

    max_model_size: Parameters = Field(None, description="the largest model by parameters, as 14B, or unlimited")
    runtimes: list[str] | None = Field(None, description="modules of category runtime that may run")
    features: list[str] | None = Field(None, description="upstream's features; shown")
    modes: list[Mode] | None = Field(None, description="native, container")
    expose: bool | None = Field(None, description="whether a user may publish a port to the network")
    max_gpus: int | None = Field(None, ge=0, description="GPUs that one instance may use")
    max_memory: Least | None = Field(None, description="memory that one instance may be promised")
    max_cpus: float | None = Field(None, gt=0, description="processor cores that one instance may use")


class PolicyRow(Strict):
    name: str = Field(min_length=1, max_length=100)
    description: str = ""
    conditions: ConditionRow = ConditionRow()
    allow: AllowRow = AllowRow()
    deny: list[str] = Field([], description="modules, features, native, container or expose")


class PolicyFile(Strict):
    policies: list[PolicyRow] = []
