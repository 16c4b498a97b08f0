"""Loading and unloading: what was added is exactly what is taken away, and twice is once."""

from __future__ import annotations

from typing import Any

from las_jupyter.magics.magic import LasMagics
from las_jupyter.magics.matcher import Matcher
from las_jupyter.stack.verbs import default_stack


def load_ipython_extension(ipython: Any) -> None:
    """Register ``%las`` and ``%%las`` and their completion."""
    unload_ipython_extension(ipython)
    stack = default_stack()
    ipython.register_magics(LasMagics(ipython, stack))
    completer = getattr(ipython, "Completer", None)
    if completer is not None:
        completer.custom_matchers.append(Matcher(stack))


def unload_ipython_extension(ipython: Any) -> None:
    """Take ``%las``, ``%%las`` and their completion away; instances are not touched."""
    for kind in ("line", "cell"):
        ipython.magics_manager.magics[kind].pop("las", None)
    ipython.magics_manager.registry.pop(LasMagics.__name__, None)
    completer = getattr(ipython, "Completer", None)
    if completer is not None:
        kept = [each for each in completer.custom_matchers if not isinstance(each, Matcher)]
        completer.custom_matchers[:] = kept
