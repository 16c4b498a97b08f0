"""
Start, watch and keep local AI servers from a notebook cell, natively or in a container.

Everything public is here and is imported when first used, so that ``import las_jupyter`` costs almost
nothing and the supervisor process, which lives below this package, carries none of it.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "aio": "las_jupyter.stack.aio",
    **dict.fromkeys(
        (
            "attach",
            "config",
            "doctor",
            "events",
            "get",
            "modules",
            "panel",
            "plan",
            "remove",
            "restart",
            "start",
            "status",
        ),
        "las_jupyter.stack.verbs",
    ),
    "stop": "las_jupyter.stack.verbs",
    "trust": "las_jupyter.stack.verbs",
    "Instance": "las_jupyter.stack.instance",
    "LasError": "las_jupyter.core.errors",
    "load_ipython_extension": "las_jupyter.magics",
    "unload_ipython_extension": "las_jupyter.magics",
}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_hint(name)}")
    from importlib import import_module

    home = import_module(_HOMES[name])
    value = home if name == "aio" else getattr(home, name)
    globals()[name] = value
    return value


def _hint(name: str) -> str:
    if name.startswith("_"):
        return ""  # asked by tools that look whether something is there, and not by people
    from las_jupyter.display.words import nearest

    near = nearest(name, __all__)
    return f"; did you mean {near}?" if near else ""


def __dir__() -> list[str]:
    return __all__
