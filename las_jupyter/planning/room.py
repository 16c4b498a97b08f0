"""How much memory there is for one more server, and what is said when that is too little."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.quantities import format_size
from las_jupyter.resources.fit import MIB, Need, Verdict
from las_jupyter.resources.measured import Measured

if TYPE_CHECKING:
    from las_jupyter.core.launch import Limits
    from las_jupyter.core.request import StartRequest
    from las_jupyter.planning.world import World

_MOST_MARGIN = 512 * MIB
Values = dict[str, str | tuple[str, ...]]


class Fitted(NamedTuple):
    """
    What came of it: values for the manifest's names, the bytes this start will need, and warnings.

    ``values`` depend on what is free at the moment, so they are no part of what makes the server.
    """

    values: Values = {}
    need: int | None = None
    warnings: tuple[str, ...] = ()


MeasuredFor = Callable[[Values], Measured | None]
"""What a server with these values used before, if it ran."""


class Known(NamedTuple):
    """A need in bytes, and where the number is from, in words."""

    total: int
    text: str


def known(need: Need, measured: Measured | None) -> Known:
    """The measurement where there is one, with how far the estimate was off, else the estimate with its parts."""
    if measured is None:
        return Known(need.total, need.text)
    day = datetime.fromtimestamp(measured.at).astimezone().date().isoformat()
    off = round(100 * (need.total / measured.memory - 1))
    said = f"the estimate said {format_size(need.total)} ({off:+} %)"
    return Known(measured.memory, f"{format_size(measured.memory)}, measured on {day} ({said}),")


class Room(NamedTuple):
    """Bytes: ``most`` that can ever be had, ``now`` what is free of it, ``promised`` what running instances keep."""

    most: int
    now: int
    promised: int


def room_for(world: World, limits: Limits) -> Room:
    """The memory of the machine for this start, or of its limit."""
    promised = sum(spec.memory_promised or 0 for snapshot, spec in world.running if snapshot.state.alive)
    most = limits.memory or max(0, world.machine.memory_total - promised)
    return Room(most, min(most, world.machine.memory_available), promised)


def margin(free: int) -> int:
    """What is better left to others: an eighth, and no more than half a gibibyte."""
    return min(_MOST_MARGIN, free // 8)


def refuse(
    request: StartRequest, world: World, needs: str, room: Room, limits: Limits, option: str, possible: int
) -> str:
    """
    What is recorded when the user insists; raises ``PlanRefused`` otherwise.

    ``needs`` is the need in words, ``option`` sets the context, and ``possible`` is the one that fits, 0 for none.
    """
    assert world.model is not None
    if request.overcommit:
        return f", and {format_size(room.most)} at most: overcommitted as you said"
    of = f"the limit is {format_size(room.most)}"
    if not limits.memory:
        promised = format_size(room.promised)
        of = f"this machine has {format_size(world.machine.memory_total)}, {promised} of it are promised"
    smaller = f"-- {option} {possible:d} fits, or " if possible else ""
    raise PlanRefused(
        f"{world.model.text} will not fit into memory.",
        cause=f"it needs {needs}, and {of}",
        remedy=f"{smaller}a smaller model or quantisation; --overcommit starts it all the same",
    )


def warn(world: World, verdict: Verdict, told: str) -> tuple[str, ...]:
    """The warning for a verdict, none for one that fits."""
    if verdict is Verdict.FITS:
        return ()
    says = "is a tight fit" if verdict is Verdict.TIGHT else "does not fit into what is free now"
    return (f"{world.model.text if world.model else 'the model'} {says}: it needs {told}",)
