"""The owner of an instance with ``lifetime="kernel"``: when that process is gone, so is its instance."""

from __future__ import annotations

import os

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.states import Lifetime
from las_jupyter.limits.tree import boot_id, read_process


class OwnerGone(Exception):
    """The owner had ended before we could watch it."""


def watch_owner(spec: LaunchSpec) -> int | None:
    """A descriptor that polls readable when the owner ends, or None when nobody owns it. Raises ``OwnerGone``."""
    owner = spec.owner
    if spec.lifetime is not Lifetime.KERNEL or owner is None:
        return None
    if owner.boot_id != boot_id():
        raise OwnerGone
    try:
        fd = os.pidfd_open(owner.pid)
    except (OSError, OverflowError) as error:  # the latter: a damaged file, and no process has that number
        raise OwnerGone from error
    process = read_process(owner.pid)
    if process is None or process.ticks != owner.start_ticks or process.state in "ZX":
        os.close(fd)
        raise OwnerGone
    return fd
