"""Which container engine runs it: the one that is configured, else the first in order that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core.launch import Decision, LaunchSpec
from las_jupyter.core.states import Mode

if TYPE_CHECKING:
    from las_jupyter.planning.world import Backend, World

ORDER = ("docker", "podman")
SETTING = "runtime.container_engine"
ANY = "auto"


def warn_reachable(backend: Backend, spec: LaunchSpec) -> tuple[str, ...]:
    """What an engine cannot keep of the promise that a server which is not exposed is this machine's alone."""
    if spec.exposed or not spec.ports or not backend.reachable:
        return ()
    return (f"other machines may reach it, though it is not exposed: {backend.reachable}",)


def engine_decision(world: World, chosen: Backend) -> Decision:
    """Why ``chosen`` runs it, and of each other engine what is against it."""
    containers = [each for each in world.backends if each.mode is Mode.CONTAINER]
    lost = {each.name: each.unavailable for each in containers if each.unavailable is not None}
    if world.container_engine != ANY:
        return Decision("engine", chosen.name, f"{SETTING} says so", lost)
    after = ORDER[ORDER.index(chosen.name) + 1 :] if chosen.name in ORDER else ()
    lost |= {name: f"{chosen.name} comes first; set {SETTING} to {name} to take it" for name in after}
    reason = "it is the next that can be used" if any(each.unavailable for each in containers) else "it comes first"
    return Decision("engine", chosen.name, reason, lost)
