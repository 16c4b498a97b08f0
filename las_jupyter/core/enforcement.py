"""Who keeps which limit, in words."""

from __future__ import annotations

from las_jupyter.core.launch import WATCHED_EVERY, Limits
from las_jupyter.core.quantities import format_size

SCOPE = "systemd scope"
_MEANS = {
    "cgroup v1": "enforced by cgroup v1",
    "cgroup v2": "enforced by cgroup v2",
    SCOPE: "enforced by a systemd scope",
    "engine": "enforced by the engine",
    "rlimit": "enforced by the kernel for each process",
    "none": "not enforced here",
}


def limit_words(limits: Limits, enforcement: dict[str, str]) -> tuple[str, ...]:
    """
    One phrase for each means, as ``memory 2.0 GiB, 4096 processes enforced by cgroup v1``.

    ``enforcement`` is that of a snapshot. A limit whose size is not known is told by its name.
    """
    by_means: dict[str, list[str]] = {}
    for name, how in enforcement.items():
        by_means.setdefault(means_words(name, how), []).append(_size(name, limits))
    return tuple(f"{', '.join(what)} {means}" for means, what in by_means.items())


def keepers_of(limits: Limits, keepers: dict[str, str]) -> dict[str, str]:
    """
    Who would keep each of ``limits``, where ``keepers`` says who could.

    No systemd scope is made for the number of processes alone: every server has that limit, and a watch keeps it well.
    """
    kept = {name: how for name, how in keepers.items() if getattr(limits, name)}
    if kept.get("pids") == SCOPE and not any(kept.get(name) == SCOPE for name in ("memory", "cpus")):
        kept["pids"] = "watched"
    return kept


def means_words(name: str, how: str) -> str:
    """Who keeps the limit ``name``, as ``enforced by cgroup v1``; ``how`` is its word in an enforcement."""
    means = f"watched every {WATCHED_EVERY[name]:g} s" if how == "watched" and name in WATCHED_EVERY else how
    return _MEANS.get(how, means)


def _size(name: str, limits: Limits) -> str:
    value = getattr(limits, name, None)
    if not value:
        return name
    return {
        "memory": f"memory {format_size(int(value))}",
        "shm": f"shared memory {format_size(int(value))}",
        "cpus": f"{value:g} cores",
        "pids": f"{value} processes",
        "nofile": f"{value} open files",
    }.get(name, name)
