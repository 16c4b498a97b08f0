"""Which container engine is taken, and why the others are not."""

from __future__ import annotations

from typing import NamedTuple

from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import Unavailable
from las_jupyter.core.errors import LasError

ORDER = ("docker", "podman")


class EngineReport(NamedTuple):
    """``chosen`` is None when no engine can be used; ``passed_over`` says of each other one why not."""

    order: tuple[str, ...]
    chosen: str | None
    passed_over: dict[str, Unavailable]


def engine_report(wanted: str = "auto") -> EngineReport:
    """Ask the engines in order; ``wanted`` is ``runtime.container_engine``."""
    order = ORDER if wanted == "auto" else (wanted,)
    chosen, passed_over = None, {}
    for name in order:
        why = _why_not(name)
        if why is not None:
            passed_over[name] = why
        elif chosen is None:
            chosen = name
        else:
            passed_over[name] = Unavailable(f"{chosen} comes first", f"LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE={name}")
    return EngineReport(order, chosen, passed_over)


def _why_not(name: str) -> Unavailable | None:
    try:
        return load_backend(name).why_unavailable()
    except LasError as error:
        return Unavailable(error.message, error.remedy or "")
