"""
GPUs are given away by one client at a time.

A plan looks who has a GPU, and another kernel may look at the same moment: so it is looked once more when the
instance is launched, under a lock of the state folder that is held until its own state says what it was given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InstanceConflict, PlanRefused
from las_jupyter.state.lock import Lock

if TYPE_CHECKING:
    from las_jupyter.core.launch import LaunchSpec
    from las_jupyter.state.paths import StatePaths

_WAIT = 15.0


@contextlib.contextmanager
def giving_away(paths: StatePaths, spec: LaunchSpec) -> Iterator[Callable[[], None]]:
    """
    The time in which nobody else gives GPUs away; what is given ends it early.

    Raises ``InstanceConflict`` when somebody takes too long.
    """
    if not spec.gpus.ids:
        yield lambda: None
        return
    lock = Lock(paths.gpu_lock)
    if not lock.acquire(wait=_WAIT):
        raise InstanceConflict("Another start is being given a GPU and does not end.", remedy="%las status")
    try:
        yield lock.release
    finally:
        lock.release()


def check_gpus_are_free(spec: LaunchSpec, running: Iterable[LaunchSpec]) -> None:
    """Raise ``PlanRefused`` when one of ``running`` has a GPU of ``spec`` and it is not meant to be shared."""
    if spec.share_gpu:
        return
    for other in running:
        taken = sorted(set(spec.gpus.ids) & set(other.gpus.ids))
        if taken and other.name != spec.name:
            raise PlanRefused(
                f"GPU {', '.join(taken)} is in use.",
                cause=f"it was given to {other.name} a moment ago",
                remedy=f"--share-gpu to use it together, or %las stop {word(other.name)}",
            )
