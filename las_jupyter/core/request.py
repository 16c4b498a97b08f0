"""What a user asked for, from any surface, and the decided answer."""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.core.launch import Decision, LaunchSpec
from las_jupyter.core.states import Lifetime, Mode, RestartPolicy


class StartRequest(NamedTuple):
    """
    A start as it was asked for; None means not said. Sizes in bytes, times in seconds.

    ``module`` is a name, ``name@version`` or the path of a manifest file. ``gpus`` are device ids, ``("all",)`` or
    ``()`` for none. ``mounts`` are ``SOURCE:TARGET[:rw]``. ``args`` go to the engine as they are.
    ``share_gpu`` lets two instances use one GPU; ``overcommit`` accepts a plan that promises more than there is;
    ``expose`` asks for network exposure, which a policy must allow as well. ``taken`` are the variables of ``env``
    whose values came from the environment of whoever asked: they are secrets, whatever they are called.
    """

    module: str
    name: str | None = None
    model: str | None = None
    mode: Mode | None = None
    engine: str | None = None
    engine_python: str | None = None
    port: int | None = None
    gpus: tuple[str, ...] | None = None
    memory: int | None = None
    cpus: float | None = None
    env: dict[str, str] = {}
    args: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    restart: RestartPolicy | None = None
    grace: float | None = None
    timeout: float | None = None
    lifetime: Lifetime = Lifetime.DETACHED
    overcommit: bool = False
    share_gpu: bool = False
    expose: bool = False
    taken: tuple[str, ...] = ()


class Refusal(NamedTuple):
    """One reason why a plan is refused, and what would cure it."""

    reason: str
    remedy: str = ""


class StartPlan(NamedTuple):
    """
    The decided answer: one launch spec with every decision and its reason.

    ``downloads`` are what a start would fetch first, in words; ``requires`` are names of instances that must run
    before this one, in order. ``image`` is the exact name of the container's image where that is here already,
    ``repository@sha256:…`` or an id.
    """

    request: StartRequest
    spec: LaunchSpec
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    image: str | None = None


class Side(NamedTuple):
    """What a start would be in one mode: its plan, or why that mode is not possible here and what cures it."""

    mode: Mode
    plan: StartPlan | None = None
    refusal: str = ""
    remedy: str = ""


class ComparedRow(NamedTuple):
    """One thing as it would be in each mode; ``differs`` only where both modes are possible."""

    subject: str
    native: str
    container: str
    differs: bool = False


class Comparison(NamedTuple):
    """The same start in native and in container mode, side by side. Values of secret variables are not in the rows."""

    module: str
    name: str
    rows: tuple[ComparedRow, ...]
    sides: tuple[Side, ...]
