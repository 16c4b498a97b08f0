"""
What the panel's page receives: plain values, made from snapshots. The page's types are generated from here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from las_jupyter.core.enforcement import limit_words
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.light import Light, Offer, headline, light, offers, word
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.unseen import in_line


class Reason(NamedTuple):
    """One decision of the plan."""

    subject: str
    choice: str
    reason: str


class Used(NamedTuple):
    """What an instance used lately, oldest first: bytes, cores, and the bytes on GPUs now."""

    memory: tuple[int, ...] = ()
    cpu: tuple[float, ...] = ()
    vram: int | None = None


_NOTHING = Used()


class Card(NamedTuple):
    """
    One instance as it is drawn. Times in seconds since the epoch, sizes in bytes, ``cpu`` in cores.

    ``progress`` is how much of its image is here, between 0 and 1, while it is fetched and that is known.
    """

    name: str
    module: str
    mode: str
    backend: str
    state: str
    alive: bool
    light: Light
    word: str
    headline: str
    offers: tuple[Offer, ...]
    reason: str
    progress: float | None
    model: str | None
    url: str | None
    pid: int | None
    container: str | None
    image: str | None
    generation: int
    started_at: float | None
    ready_at: float | None
    restarts: int
    next_restart_at: float | None
    lifetime: str
    supervised: bool
    warnings: tuple[str, ...]
    limits: tuple[str, ...]
    decisions: tuple[Reason, ...]
    cause: str | None
    remedy: str | None
    memory: int | None
    cpu: float | None
    vram: int | None
    memory_history: tuple[int, ...]
    cpu_history: tuple[float, ...]


def card(
    snapshot: Snapshot,
    spec: LaunchSpec | None = None,
    used: Used = _NOTHING,
    explained: tuple[str | None, str | None] = (None, None),
) -> Card:
    """
    The card of one instance; ``explained`` is why it failed and what cures that.

    A page shows and copies every word as it is here, so what cannot be seen of one is gone, and each is one line.
    """
    made: Card = _cleaned(
        Card(
            name=snapshot.name,
            module=snapshot.module,
            mode=str(snapshot.mode),
            backend=snapshot.backend,
            state=str(snapshot.state),
            alive=snapshot.state.alive,
            light=light(snapshot),
            word=word(snapshot).capitalize(),
            headline=headline(snapshot),
            offers=offers(snapshot),
            reason=snapshot.reason,
            progress=snapshot.fetching.fraction if snapshot.fetching and snapshot.state.alive else None,
            model=snapshot.model,
            url=snapshot.url,
            pid=snapshot.pid,
            container=snapshot.container_id,
            image=snapshot.image,
            generation=snapshot.generation,
            started_at=snapshot.started_at,
            ready_at=snapshot.ready_at,
            restarts=snapshot.restarts,
            next_restart_at=snapshot.next_restart_at,
            lifetime=str(snapshot.lifetime),
            supervised=snapshot.supervised,
            warnings=snapshot.warnings,
            limits=limit_words(snapshot.limits, snapshot.enforcement),
            decisions=tuple(Reason(each.subject, each.choice, each.reason) for each in spec.decisions) if spec else (),
            cause=explained[0],
            remedy=explained[1],
            memory=used.memory[-1] if used.memory else None,
            cpu=used.cpu[-1] if used.cpu else None,
            vram=used.vram,
            memory_history=used.memory,
            cpu_history=used.cpu,
        )
    )
    return made


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return in_line(value)
    if isinstance(value, tuple) and not (value and isinstance(value[0], int | float)):
        cleaned = map(_cleaned, value)
        return value._make(cleaned) if hasattr(value, "_make") else tuple(cleaned)
    return value
