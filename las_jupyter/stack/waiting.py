"""Waiting for an instance with a line that says what it does, and an interrupt that hurts nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from las_jupyter.core.advice import word
from las_jupyter.core.errors import NEXT_STEP, StartTimeout
from las_jupyter.core.quantities import format_duration
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.display.progress import Progress
from las_jupyter.display.words import why
from las_jupyter.stack.rooms import Manager

_SLICE_SECONDS = 1.0


class WaitInterrupted(KeyboardInterrupt):
    """
    The person stopped waiting; what was begun goes on, or was given up, as the first line says.

    A ``KeyboardInterrupt``, so that a cell and a Run All stop as on any interrupt; a notebook shows it in two lines.
    """

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(said)
        self.said = said
        self.remedy = remedy

    def lines(self) -> list[str]:
        """The two lines a person reads."""
        return [self.said, f"{NEXT_STEP}{self.remedy}"]

    def _render_traceback_(self) -> list[str]:
        return self.lines()


@contextmanager
def interruptible(progress: Progress, said: str, remedy: str) -> Iterator[None]:
    """Turn an interrupt inside into a ``WaitInterrupted`` of these words; the progress line goes either way."""
    try:
        yield
    except WaitInterrupted:
        raise
    except KeyboardInterrupt:
        raise WaitInterrupted(said, remedy) from None
    finally:
        progress.close()


def going_on_without_us(progress: Progress, name: str) -> AbstractContextManager[None]:
    """An interrupt inside gives up waiting for ``name``, and says where to find it again."""
    said = f"Stopped waiting for {name}; it goes on in the background."
    return interruptible(
        progress,
        said,
        f"%las status {word(name)} shows it, las.get({word(name)!r}) takes it up, %las stop {word(name)} ends it",
    )


def telling(progress: Progress, doing: str, clock: Callable[[], float] = time.monotonic) -> Callable[[Snapshot], None]:
    """A callback that keeps the progress line current: who, what phase, how long."""
    begun = clock()

    def tell(snapshot: Snapshot) -> None:
        took = format_duration(clock() - begun)
        if snapshot.fetching:
            progress.update(f"{snapshot.name}: {snapshot.fetching.text} ({took})", snapshot.fetching.fraction)
        else:
            progress.update(f"{snapshot.name}: {doing}, {snapshot.health.phase or why(snapshot)} ({took})")

    return tell


def wait_ready(manager: Manager, name: str, progress: Progress, timeout: float | None = None) -> Snapshot:
    """
    The snapshot once it is ready. Raises ``LaunchFailed``, ``StartTimeout`` or ``WaitInterrupted``.

    Nothing here ends the instance: after a ``timeout`` of the caller's it goes on starting.
    """
    with going_on_without_us(progress, name):
        return _wait(manager, name, telling(progress, "starting"), timeout)


def _wait(manager: Manager, name: str, tell: Callable[[Snapshot], None], timeout: float | None) -> Snapshot:
    """Wait in short slices, so that the line's clock goes on while nothing changes."""
    begun = time.monotonic()
    while True:
        left = None if timeout is None else timeout - (time.monotonic() - begun)
        try:
            slice_seconds = _SLICE_SECONDS if left is None else max(0.0, min(_SLICE_SECONDS, left))
            return manager.wait_ready(name, timeout=slice_seconds, on_change=tell)
        except StartTimeout:
            snapshot = manager.snapshot(name)
            if not snapshot.state.alive:
                raise
            if left is not None and left <= _SLICE_SECONDS:
                raise _not_yet(snapshot, timeout or 0.0) from None
            tell(snapshot)


def _not_yet(snapshot: Snapshot, timeout: float) -> StartTimeout:
    return StartTimeout(
        f"{snapshot.name} is not ready after {format_duration(timeout)}; it goes on starting.",
        cause=snapshot.health.phase or why(snapshot),
        remedy=f"%las status {word(snapshot.name)}, or %las stop {word(snapshot.name)}",
    )
