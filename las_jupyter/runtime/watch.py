"""Changes of instances as they happen: each supervisor tells its own, and who has none any more is looked at."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator

from las_jupyter.core.errors import LasError
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.runtime.client import Subscription
from las_jupyter.state.files import edition
from las_jupyter.state.lock import is_held
from las_jupyter.state.paths import StatePaths

_STOP_ASKED_EVERY = 0.5


class Watch:
    """``look`` gives the snapshot of a name, ``names`` those to watch now."""

    def __init__(self, paths: StatePaths, look: Callable[[str], Snapshot], names: Callable[[], list[str]]) -> None:
        self._paths, self._look, self._names = paths, look, names
        self._subscriptions: dict[str, Subscription] = {}
        self._seen: dict[str, str] = {}

    def changes(self, stop: Callable[[], bool]) -> Iterator[Snapshot]:
        """Until ``stop`` says so, which is asked at least every half second."""
        self._seen = {name: edition(self._paths.state(name)) for name in self._names()}
        try:
            while not stop():
                self._subscribe()
                yield from self._unsubscribed()
                ready, _, _ = select.select(list(self._subscriptions.values()), [], [], _STOP_ASKED_EVERY)
                for name in [name for name, each in self._subscriptions.items() if each in ready]:
                    yield from self._told(name)
        finally:
            for subscription in self._subscriptions.values():
                subscription.close()

    def _told(self, name: str) -> Iterator[Snapshot]:
        subscription = self._subscriptions[name]
        yield from subscription.snapshots()
        if subscription.ended:
            self._subscriptions.pop(name).close()
            self._seen[name] = ""

    def _subscribe(self) -> None:
        for name in self._names():
            if name not in self._subscriptions and is_held(self._paths.lock(name)):
                try:
                    self._subscriptions[name] = Subscription(self._paths.socket(name))
                except OSError:
                    continue

    def _unsubscribed(self) -> Iterator[Snapshot]:
        """What changed about instances nobody speaks for: they ended between two looks, or lost their supervisor."""
        for name in self._names():
            now = edition(self._paths.state(name))
            if name not in self._subscriptions and now != self._seen.get(name):
                yield from self._last_look(name)
                now = edition(self._paths.state(name))
            self._seen[name] = now

    def _last_look(self, name: str) -> Iterator[Snapshot]:
        try:
            yield self._look(name)
        except LasError:
            return
