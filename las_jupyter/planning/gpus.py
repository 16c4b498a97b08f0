"""
Which GPUs an instance may see: those asked for, when they are here, allowed, and leased to nobody else.

Nothing but the request gives a GPU away. One that a running instance has is shared only when the newcomer says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision, Gpus
from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.policy.rules import SEVERAL_GPUS

if TYPE_CHECKING:
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World


def choose_gpus(request: StartRequest, world: World, mode: Mode, decisions: list[Decision]) -> Gpus:
    """The GPUs of this start; raises ``PlanRefused`` when one is not here, not allowed, or another instance's."""
    if not request.gpus:
        _check_gpu_is_not_needed(world, mode)
        reason = "none were asked for" if world.machine.gpu_ids else "none were asked for, and none are here"
        decisions.append(Decision("GPUs", "none", reason))
        return Gpus()
    known = world.machine.gpu_ids
    wanted = known if request.gpus == ("all",) else request.gpus
    missing = [each for each in wanted if each not in known]
    if missing or not wanted:
        raise PlanRefused(
            f"There is no GPU {', '.join(missing) or 'at all'} here.",
            cause=f"the GPUs here are {', '.join(known)}" if known else "no GPU answers on this machine",
            remedy="%las doctor",
        )
    most = world.policy.max_gpus
    if most is not None and len(wanted) > most:
        raise PlanRefused(
            f"{len(wanted)} GPUs are more than is allowed.",
            cause=world.policy.reasons["gpus"],
            remedy=f"--gpus {most:d}",
        )
    if len(wanted) > 1 and SEVERAL_GPUS in world.policy.reasons:
        raise PlanRefused(
            "One server over several GPUs is not allowed.",
            cause=world.policy.reasons[SEVERAL_GPUS],
            remedy=f"--gpus {word(wanted[0])}",
        )
    shared = _shared(request, world, wanted)
    decisions.append(Decision("GPUs", ",".join(wanted), f"you asked for them{shared}", override=bool(shared)))
    return Gpus(wanted, world.machine.gpu_vendor)


def leases(world: World) -> dict[str, tuple[str, ...]]:
    """For each GPU that is in use, the names of the running instances it was given to."""
    found: dict[str, tuple[str, ...]] = {}
    for snapshot, spec in world.running:
        for gpu in spec.gpus.ids if snapshot.state.alive else ():
            found[gpu] = (*found.get(gpu, ()), snapshot.name)
    return found


def _shared(request: StartRequest, world: World, wanted: tuple[str, ...]) -> str:
    """What the sharing adds to the reason; raises ``PlanRefused`` when there is some that nobody asked for."""
    taken = {gpu: names for gpu, names in leases(world).items() if gpu in wanted}
    if not taken:
        return ""
    held = "; ".join(f"GPU {gpu} is given to {', '.join(names)}" for gpu, names in sorted(taken.items()))
    if request.share_gpu:
        return f", and to share: {held}"
    left = [gpu for gpu in world.machine.gpu_ids if gpu not in leases(world)]
    another = f"--gpus {word(','.join(left))}, or " if left else ""
    first = next(iter(taken.values()))[0]
    raise PlanRefused(
        f"GPU {', '.join(sorted(taken))} is in use.",
        cause=held,
        remedy=f"{another}--share-gpu to use it together, or %las stop {word(first)}",
    )


def _check_gpu_is_not_needed(world: World, mode: Mode) -> None:
    manifest = world.entry.manifest
    by_image = mode is Mode.CONTAINER and lower.container(manifest).needs_gpu
    if not (by_image or lower.needs(manifest).gpu):
        return
    here = world.machine.gpu_ids
    what = f"The image of {manifest.name}" if by_image else manifest.name
    raise PlanRefused(
        f"{what} is of no use without a GPU.",
        cause=f"none was asked for; here are {', '.join(here)}" if here else "no GPU answers on this machine",
        remedy=_without_gpu(manifest.name, by_image=by_image, here=bool(here)),
    )


def _without_gpu(name: str, *, by_image: bool, here: bool) -> str:
    if here:
        return f"%las start {word(name)} --gpus all"
    return f"%las plan {word(name)} --mode native, which says what it takes here" if by_image else "%las doctor"
