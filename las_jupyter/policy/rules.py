"""
What a site allows on a machine like this one.

``judge_policy`` is the whole rule: every policy whose conditions hold applies, the most restrictive wins, and what one
of them denies no other allows. Without a policy that applies everything is allowed but network exposure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from las_jupyter.core.quantities import format_size
from las_jupyter.core.states import Mode

T = TypeVar("T", int, float)

EXPOSE = "expose"
"""The word that denies network exposure."""
SEVERAL_GPUS = "tensor_parallel"
"""The feature of upstream's that a start can use: one server over several GPUs."""
FEATURES = frozenset({SEVERAL_GPUS, "multi_gpu_training"})
"""The features that upstream names."""
ELSEWHERE = ("module:", "feature:")
"""What stands before a name that is not known here, and is meant all the same."""
MODEL_TOLERANCE = 1.1
"""Models are named by a rounded size: 14B is sold with 14.8 billion parameters, 7B with 7.6."""


class Hardware(NamedTuple):
    """
    What conditions are compared with; None means that nobody can tell. Sizes in bytes.

    ``gpu_vram`` is of the largest GPU, 0 without one.
    """

    cpu_cores: float | None = None
    ram: int | None = None
    gpu_vram: int | None = None
    gpu_count: int | None = None
    nvlink: bool | None = None


class Conditions(NamedTuple):
    """All that are given must hold. Sizes in bytes."""

    ram_min: int | None = None
    ram_max: int | None = None
    gpu_vram_min: int | None = None
    gpu_vram_max: int | None = None
    gpu_count_min: int | None = None
    gpu_count_max: int | None = None
    cpu_cores_min: int | None = None
    cpu_cores_max: int | None = None
    nvlink: bool | None = None


class Policy(NamedTuple):
    """
    One policy. None means that it says nothing of that.

    ``runtimes`` are the modules of category ``runtime`` that it allows; ``denied`` are names of modules, features or
    modes. ``max_parameters`` is the largest model, counted in parameters.
    """

    name: str
    description: str = ""
    conditions: Conditions = Conditions()
    runtimes: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    modes: tuple[Mode, ...] | None = None
    expose: bool | None = None
    max_parameters: float | None = None
    max_gpus: int | None = None
    max_memory: int | None = None
    max_cpus: float | None = None
    denied: tuple[str, ...] = ()


class PolicyVerdict(NamedTuple):
    """
    What is allowed to one module here, and why.

    ``modes`` is empty when the module is forbidden altogether. A ceiling of None is no ceiling. ``reasons`` holds for
    each thing that was restricted (``module``, a mode, ``gpus``, ``memory``, ``cpus``, ``model``, ``expose``, a
    feature) the sentence that names the policy. ``expose`` is True only when a policy grants it and none denies it.
    """

    modes: frozenset[Mode] = frozenset(Mode)
    max_gpus: int | None = None
    max_memory: int | None = None
    max_cpus: float | None = None
    max_parameters: float | None = None
    expose: bool = False
    applied: tuple[str, ...] = ()
    reasons: dict[str, str] = {}

    @property
    def forbidden(self) -> str | None:
        """Why the module may not run here at all, or None."""
        return self.reasons.get("module")


def applies(policy: Policy, hardware: Hardware) -> bool:
    """
    Whether the conditions of ``policy`` hold on ``hardware``.

    What nobody can tell counts as holding: a policy mostly restricts, and a probe that fails must not lift it.
    """
    want = policy.conditions
    bounds: tuple[tuple[float | None, int | None, int | None], ...] = (
        (hardware.ram, want.ram_min, want.ram_max),
        (hardware.gpu_vram, want.gpu_vram_min, want.gpu_vram_max),
        (hardware.gpu_count, want.gpu_count_min, want.gpu_count_max),
        (hardware.cpu_cores, want.cpu_cores_min, want.cpu_cores_max),
    )
    if any(_outside(value, least, most) for value, least, most in bounds):
        return False
    return want.nvlink is None or hardware.nvlink is None or want.nvlink == hardware.nvlink


def _outside(value: float | None, least: int | None, most: int | None) -> bool:
    if value is None:
        return False
    return (least is not None and value < least) or (most is not None and value > most)


def judge_policy(
    policies: Iterable[Policy], hardware: Hardware, module: str, category: str = "runtime", *, posing: bool = False
) -> PolicyVerdict:
    """
    What ``policies`` allow to ``module`` on ``hardware``.

    ``posing``: it is called like a module of the catalog and is another; what is allowed to that one is not to it.
    """
    applied = [policy for policy in policies if applies(policy, hardware)]
    reasons: dict[str, str] = {}
    modes = frozenset(mode for mode in Mode if not _mode_denied(applied, mode, reasons))
    if _module_denied(applied, module, category, reasons, posing=posing):
        modes = frozenset()
    return PolicyVerdict(
        modes=modes,
        max_gpus=_lowest(applied, "gpus", lambda policy: policy.max_gpus, str, reasons),
        max_memory=_lowest(applied, "memory", lambda policy: policy.max_memory, format_size, reasons),
        max_cpus=_lowest(applied, "cpus", lambda policy: policy.max_cpus, _plain, reasons),
        max_parameters=_lowest(applied, "model", lambda policy: policy.max_parameters, format_parameters, reasons),
        expose=_exposed(policies=applied, hardware=hardware, reasons=reasons),
        applied=tuple(policy.name for policy in applied),
        reasons={**reasons, **_features(applied)},
    )


def layered(site: tuple[Policy, ...], own: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """The site's policies and a user's beside them, which only take away: where there is a site's, it alone grants."""
    if not site:
        return own
    return (*site, *(policy._replace(expose=None) if policy.expose else policy for policy in own))


def named_words(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Every word of ``policy`` that names something, and the key that it stands under."""
    return (
        *(("runtimes", each) for each in policy.runtimes or ()),
        *(("features", each) for each in policy.features or ()),
        *(("deny", each) for each in policy.denied),
    )


def _module_denied(applied: list[Policy], module: str, category: str, reasons: dict[str, str], *, posing: bool) -> bool:
    for policy in applied:
        if module in policy.denied:
            reasons["module"] = f"policy {policy.name} denies {module}"
            return True
    for policy in applied:
        if category == "runtime" and policy.runtimes is not None and (posing or module not in policy.runtimes):
            allowed = ", ".join(policy.runtimes) or "none"
            reasons["module"] = f"policy {policy.name} allows these runtimes only: {allowed}"
            if posing:
                reasons["module"] += f"; this one is only called {module}"
            return True
    return False


def _mode_denied(applied: list[Policy], mode: Mode, reasons: dict[str, str]) -> bool:
    for policy in applied:
        if mode in policy.denied:
            reasons[mode] = f"policy {policy.name} denies {mode} execution"
            return True
        if policy.modes is not None and mode not in policy.modes:
            allowed = ", ".join(policy.modes) or "none"
            reasons[mode] = f"policy {policy.name} allows these modes only: {allowed}"
            return True
    return False


def _lowest(
    applied: list[Policy],
    subject: str,
    bound: Callable[[Policy], T | None],
    say: Callable[[T], str],
    reasons: dict[str, str],
) -> T | None:
    """The lowest of the ceilings, and whose it is."""
    lowest: T | None = None
    for policy in applied:
        value = bound(policy)
        if value is not None and (lowest is None or value < lowest):
            lowest = value
            reasons[subject] = f"policy {policy.name} allows at most {say(value)}"
    return lowest


def _exposed(*, policies: list[Policy], hardware: Hardware, reasons: dict[str, str]) -> bool:
    """Granted by one policy whose conditions are known to hold, denied by none."""
    for policy in policies:
        if EXPOSE in policy.denied or policy.expose is False:
            reasons[EXPOSE] = f"policy {policy.name} denies network exposure"
            return False
    granted = next((policy for policy in policies if policy.expose and _certain(policy, hardware)), None)
    reasons[EXPOSE] = (
        f"policy {granted.name} allows network exposure" if granted else "no policy allows network exposure"
    )
    return granted is not None


def _certain(policy: Policy, hardware: Hardware) -> bool:
    want = policy.conditions
    needed = (
        (hardware.ram, want.ram_min, want.ram_max),
        (hardware.gpu_vram, want.gpu_vram_min, want.gpu_vram_max),
        (hardware.gpu_count, want.gpu_count_min, want.gpu_count_max),
        (hardware.cpu_cores, want.cpu_cores_min, want.cpu_cores_max),
        (hardware.nvlink, want.nvlink, None),
    )
    return all(value is not None or (one is None and other is None) for value, one, other in needed)


def _features(applied: list[Policy]) -> dict[str, str]:
    """Features that are denied, by name; of those that are only not on a list the one that a start can use."""
    listing = next((each for each in applied if each.features is not None and SEVERAL_GPUS not in each.features), None)
    unlisted = {}
    if listing is not None:
        allowed = ", ".join(listing.features or ()) or "none"
        unlisted[SEVERAL_GPUS] = f"policy {listing.name} allows these features only: {allowed}"
    denied = {
        word: f"policy {policy.name} denies {word}"
        for policy in reversed(applied)
        for word in policy.denied
        if word not in (*Mode, EXPOSE)
    }
    return {**unlisted, **denied}


def _plain(value: float) -> str:
    return f"{value:g}"


def format_parameters(value: float) -> str:
    """A count of parameters as people say it: ``14B parameters``, ``135M parameters``."""
    unit, word = next(((unit, word) for unit, word in ((1e12, "T"), (1e9, "B"), (1e6, "M")) if value >= unit), (1, ""))
    return f"{value / unit:.3g}{word} parameters"
