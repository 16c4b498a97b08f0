"""Named moments on the monotonic clock: a laptop's sleep or a stepped wall clock ends no wait early."""

from __future__ import annotations

import time


class Timers:
    """Each name stands for at most one moment."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def set(self, name: str, seconds: float) -> None:
        """``name`` is due in ``seconds``."""
        self._at[name] = time.monotonic() + seconds

    def drop(self, *names: str) -> None:
        """These are due no more."""
        for name in names:
            self._at.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._at

    @property
    def next(self) -> float:
        """The first moment of all, infinity when there is none."""
        return min(self._at.values(), default=float("inf"))

    def due(self) -> list[str]:
        """The names whose moment has come, earliest first; they are dropped as they are taken."""
        now = time.monotonic()
        names = sorted((name for name, at in self._at.items() if at <= now), key=self._at.__getitem__)
        self.drop(*names)
        return names
