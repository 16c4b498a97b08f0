"""Which backends there are. One line each; others come by the entry point ``las_jupyter.backends``."""

from __future__ import annotations

from importlib import import_module

from las_jupyter.core.backend import Backend
from las_jupyter.core.errors import BackendUnavailable

BACKENDS = {
    "native": "las_jupyter.backends.native:NativeBackend",
}


def load_backend(name: str) -> Backend:
    """The backend of that name. Raises ``BackendUnavailable``."""
    home = BACKENDS.get(name)
    if home is None:
        raise BackendUnavailable(f"There is no backend {name!r}.", remedy=f"one of {', '.join(sorted(BACKENDS))}")
    module, _, attribute = home.partition(":")
    backend: Backend = getattr(import_module(module), attribute)()
    return backend
