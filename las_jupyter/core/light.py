"""
The one sign of an instance: its light, the word beside it, its headline, and what may be asked of it now.

Decided here and nowhere else; a table, a card and a button only draw it. ``HealthState`` is what probes said, a light
is what a person should believe: it knows that a server which stops or waits for a restart is asked nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState, ProcessState, Word


class Light(Word):
    """What the health light says."""

    HEALTHY = "healthy"
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Verb(Word):
    """What may be asked of an instance, in the order of the buttons."""

    START = "start"
    RESTART = "restart"
    STOP = "stop"
    REMOVE = "rm"


class Offer(NamedTuple):
    """
    One thing that may be asked now.

    ``label`` stands on its button, ``doing`` is said until it is done, and ``confirm`` is the question that a person
    answers first where something would be lost.
    """

    verb: Verb
    label: str
    doing: str
    confirm: str | None = None


_OF_STATE = {
    ProcessState.STARTING: Light.STARTING,
    # Nothing answers while a restart is waited for, whatever the last probe said.
    ProcessState.BACKOFF: Light.STARTING,
    # It is no longer asked: what it said before is no news of how it is now.
    ProcessState.STOPPING: Light.UNKNOWN,
    ProcessState.STOPPED: Light.STOPPED,
    ProcessState.FAILED: Light.FAILED,
}
_OF_HEALTH = {
    HealthState.HEALTHY: Light.HEALTHY,
    HealthState.UNHEALTHY: Light.UNHEALTHY,
    HealthState.UNKNOWN: Light.UNKNOWN,
}
_OTHER_WORDS = {ProcessState.STOPPING: "stopping", ProcessState.BACKOFF: "restarting"}
"""Where the state says more than its light."""


def light(snapshot: Snapshot) -> Light:
    """The light of ``snapshot``: of its state, and while it runs of its health."""
    return _OF_STATE.get(snapshot.state) or _OF_HEALTH[snapshot.health.state]


def word(snapshot: Snapshot) -> str:
    """The word beside the light, as ``healthy`` or ``restarting``."""
    return _OTHER_WORDS.get(snapshot.state) or light(snapshot).value


def headline(snapshot: Snapshot) -> str:
    """The sentence that explains the light. It is true until the next snapshot: no time runs in it."""
    if snapshot.fetching and snapshot.state.alive:
        return snapshot.fetching.text
    if snapshot.state is ProcessState.BACKOFF:
        return f"restart {snapshot.restarts + 1} is due; {snapshot.reason}"
    asked = snapshot.health.reason if snapshot.health.at is not None else snapshot.reason
    if snapshot.state is ProcessState.STARTING:
        return snapshot.health.phase or asked
    return asked if snapshot.state is ProcessState.RUNNING else snapshot.reason


def offers(snapshot: Snapshot) -> tuple[Offer, ...]:
    """What may be asked now, in the order of the buttons. Whoever carries it out still decides whether it may."""
    if snapshot.state is ProcessState.STOPPING:
        return ()
    if not snapshot.state.alive:
        return (
            Offer(Verb.START, "Start", "Starting …"),
            Offer(Verb.REMOVE, "Forget", "Forgetting …", "Forget it and delete its logs?"),
        )
    running = snapshot.state is ProcessState.RUNNING
    loss = "Its model is unloaded." if snapshot.model else "Requests under way are lost."
    return (
        Offer(Verb.RESTART, "Restart", "Restarting …", "Restart it? Requests under way are lost." if running else None),
        Offer(Verb.STOP, "Stop", "Stopping …", f"Stop it? {loss}" if running else None),
    )
