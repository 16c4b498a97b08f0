"""
Who a container runs as: never root, unless the manifest says why, and never somebody else without saying whom.

An image without a word of its own runs as root, which even without capabilities owns every file of the image and
every file of root's that is mounted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.launch import Decision
from las_jupyter.manifests.spellings import User, parse_user

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import ContainerLaunch
    from las_jupyter.planning.world import Backend, World

MAPPED = "1000:1000"
"""An ordinary user of most images, where the engine makes another number of it outside: nobody's."""
_IMAGES_OWN = "the image's own"


def choose_user(part: ContainerLaunch, world: World, backend: Backend, *, writes: bool) -> tuple[str | None, Decision]:
    """
    ``UID:GID`` inside the container, or None for the image's own, and why; ``writes`` to folders of this machine.

    Without a word of the manifest it is the person's own number, so that files written to a mounted folder are
    theirs, and files that only they may read can be read.
    """
    user, reason = _named(part, world) if part.user is not None else _unnamed(world, backend, writes=writes)
    return user, Decision("user", user or _IMAGES_OWN, reason)


def _named(part: ContainerLaunch, world: World) -> tuple[str | None, str]:
    why = part.user_reason or ""
    if part.user == "keep":
        return None, f"it is root where the image names nobody: {why}"
    chosen = parse_user(str(part.user))
    return str(chosen), why if chosen.is_root else f"the manifest names it{_whose(world, chosen)}{_group(chosen)}"


def _whose(world: World, chosen: User) -> str:
    """Whom it gives the container's files and key to, beside whoever starts it."""
    if not world.number_owner or chosen.user == str(world.person[0]):
        return ""
    return f"; on this machine that is {world.number_owner}, who can read its key and its data"


def _group(user: User) -> str:
    """What is to be known of its group: that of root owns more of an image than a user's own does."""
    if user.in_roots_group:
        return "; its group is root's"
    return "" if user.group else "; its group is the image's, or root's where the image knows none"


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
