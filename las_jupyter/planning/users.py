"""
Who a container runs as: never root, unless the manifest says why.

An image without a word of its own runs as root, which even without capabilities owns every file of the image and
every file of root's that is mounted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.launch import Decision
from las_jupyter.manifests.spellings import User, parse_user

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import ContainerLaunch
    from las_jupyter.planning.world import Backend

NOBODY_IN_PARTICULAR = "1000:1000"
"""For a person who is root: an ordinary user of most images, and none of root's files are his."""
_IMAGES_OWN = "the image's own"


def choose_user(
    part: ContainerLaunch, person: tuple[int, int], backend: Backend, *, writes: bool, decisions: list[Decision]
) -> str | None:
    """
    ``UID:GID`` inside the container, or None for the image's own; ``writes`` to folders of this machine.

    Without a word of the manifest it is the person's own number, so that files written to a mounted folder are
    theirs, and files that only they may read can be read.
    """
    user, reason = _choose(part, person, backend, writes=writes)
    decisions.append(Decision("user", user or _IMAGES_OWN, reason))
    return user


def _choose(
    part: ContainerLaunch, person: tuple[int, int], backend: Backend, *, writes: bool
) -> tuple[str | None, str]:
    why = part.user_reason or ""
    if part.user == "keep":
        return None, f"it is root where the image names nobody: {why}"
    if part.user is not None:
        chosen = parse_user(part.user)
        return str(chosen), why if chosen.is_root else f"the manifest names it{_group(chosen)}"
    if backend.maps_root and writes:
        return "0:0", f"{backend.name} runs without root, so root inside is you outside, and its folders are yours"
    if person[0] == 0 or backend.maps_root:
        return NOBODY_IN_PARTICULAR, "the manifest names none, and nothing runs as root without a reason"
    return f"{person[0]}:{person[1]}", "the manifest names none: it runs as you, and what it writes is yours"


def _group(user: User) -> str:
    """What is to be known of its group: that of root owns more of an image than a user's own does."""
    if user.in_roots_group:
        return ", in root's group"
    return "" if user.group else "; its group is the image's, or root's where the image knows none"
