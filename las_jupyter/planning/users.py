"""
Who a container runs as: never root, unless the manifest says why, and never somebody else without saying whom.

An image without a word of its own runs as root, which even without capabilities owns every file of the image and
every file of root's that is mounted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Decision

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import ContainerLaunch
    from las_jupyter.planning.world import Backend, World

MAPPED = "1000:1000"
"""An ordinary user of most images, where the engine makes another number of it outside: nobody's."""
_IMAGES_OWN = "the image's own"
_LARGEST = 2**31 - 1  # what runc takes


def choose_user(part: ContainerLaunch, world: World, backend: Backend, *, writes: bool) -> tuple[str | None, Decision]:
    """
    ``UID:GID`` inside the container, or None for the image's own, and why; ``writes`` to folders of this machine.

    Without a word of the manifest it is the person's own number, so that files written to a mounted folder are
    theirs, and files that only they may read can be read. Raises ``PlanRefused`` for root without a reason.
    """
    user, reason = _named(part, world) if part.user is not None else _unnamed(world, backend, writes=writes)
    return user, Decision("user", user or _IMAGES_OWN, reason)


def _named(part: ContainerLaunch, world: World) -> tuple[str | None, str]:
    name = world.entry.manifest.name
    if part.user == "keep":
        if not part.user_reason:
            raise _no_reason(name, "it keeps the image's own user, which is root unless the image says otherwise")
        return None, part.user_reason
    uid, _, gid = str(part.user).partition(":")
    # As numbers: 00 is root as well.
    numbers = [int(each) for each in (uid, gid) if each]
    if max(numbers) > _LARGEST:
        raise PlanRefused(
            f"{name} cannot run in a container.",
            cause=f"{part.user} in launch.container.user is no user's number: they end at {_LARGEST}",
            remedy="correct launch.container.user in the manifest",
        )
    user = ":".join(map(str, numbers))
    if numbers[0] == 0:
        if not part.user_reason:
            raise _no_reason(name, "it names root")
        return user, part.user_reason
    return user, "the manifest names it" + _whose(world, numbers)


def _whose(world: World, numbers: list[int]) -> str:
    """Whom it gives the container's files and key to, beside whoever starts it."""
    told = ""
    if world.namesake and numbers[0] != world.person[0]:
        told += f"; on this machine that is {world.namesake}, who can read its key and its data"
    if 0 in numbers[1:]:
        told += "; its group is root's"
    return told


def _no_reason(name: str, what: str) -> PlanRefused:
    return PlanRefused(
        f"{name} may not run in a container as its manifest wants.",
        cause=f"{what}, and does not say why",
        remedy="give launch.container.user_reason in the manifest, or take launch.container.user out of it",
    )


def _unnamed(world: World, backend: Backend, *, writes: bool) -> tuple[str, str]:
    if backend.maps_root and writes:
        return "0:0", f"{backend.name} runs without root, so root inside is you outside, and its folders are yours"
    if backend.maps_root or (backend.maps_users and world.person[0] == 0):
        return MAPPED, f"the manifest names none, and {backend.name} makes another number of it, which nobody else has"
    if world.person[0] == 0:
        spare = world.spare_user
        return f"{spare}:{spare}", "the manifest names none, you are root, and nobody on this machine has that number"
    return (
        f"{world.person[0]}:{world.person[1]}",
        "the manifest names none: it runs as you, and what it writes is yours",
    )
