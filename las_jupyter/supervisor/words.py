"""The sentences a supervisor says about ends, starts and what is left."""

from __future__ import annotations

from las_jupyter.core.backend import ExitStatus, OpenListener
from las_jupyter.core.lifecycle import OPEN
from las_jupyter.core.quantities import format_size
from las_jupyter.core.snapshot import Leftover

_MEANINGS = {
    "SIGKILL": ": killed from outside, perhaps by the kernel for lack of memory",
    "SIGSEGV": ": it crashed (segmentation fault)",
    "SIGABRT": ": it gave up (abort)",
    "SIGILL": ": it was built for another processor",
    "SIGBUS": ": a file it had mapped was cut short, or the disk failed",
}

_MOST_NAMED = 10


def exit_text(status: ExitStatus, *, requested: bool, insisted: bool = False, left: int = 0, because: str = "") -> str:
    """
    How a main process ended, as one sentence without its full stop.

    ``because`` is why we ended it though nobody had asked us to.
    """
    also = f"; {left} of its processes outlived it and were ended" if left else ""
    if status.code is None and status.signal is None:
        return f"it ended, and its exit status is unknown: {status.evidence or 'nobody saw it'}{also}"
    how = f"with exit code {status.code}" if status.signal is None else f"by {status.signal}"
    if status.oom:
        at = f" at its limit of {format_size(status.oom_limit)}" if status.oom_limit else ""
        return f"killed because it ran out of memory{at}, ended {how}{also}"
    if requested:
        return f"stopped as requested, ended {how}{' after its grace was over' if insisted else ''}{also}"
    if because:
        return f"ended by us, {how}: {because}{also}"
    if status.cause:
        return f"it ended {how}: {status.cause}{also}"
    if status.signal == "SIGKILL" and status.oom is False:
        return f"it ended {how}: killed from outside, and not at its memory limit{also}"
    return f"it ended by itself {how}{_MEANINGS.get(status.signal or '', '')}{also}"


def open_text(found: tuple[OpenListener, ...]) -> str:
    """Where it listens though nobody asked for that."""
    first, *others = found
    also = f" and {len(others)} more" if others else ""
    return f"it listens on {first.text}{also} ({first.name}, process {first.pid}), {OPEN}"


def stranger_text(port: int, name: str) -> str:
    """Who has a port of an instance that is not of it."""
    return f"its port {port} is answered by {name}, which is not of this instance"


def cannot_end(left: tuple[Leftover, ...]) -> str:
    """What could not be ended, with its number and what it hangs in."""
    named = ", ".join(f"{each.name} ({each.pid}, {each.why})" for each in left[:_MOST_NAMED])
    more = len(left) - _MOST_NAMED
    return f"cannot be ended: {named}" + (f" and {more} more" if more > 0 else "")


def last_words(line: str) -> str:
    """What a starting module was last heard to say."""
    return f"its last words were: {line}" if line else "it wrote nothing"
