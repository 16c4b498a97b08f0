"""Which backends there are. One line each; others come by the entry point ``las_jupyter.backends``."""

from __future__ import annotations

from importlib import import_module

from las_jupyter.core.backend import Backend
from las_jupyter.core.errors import BackendUnavailable

BACKENDS = {
    "native": "las_jupyter.backends.native:NativeBackend",
    "docker": "las_jupyter.backends.docker:DockerBackend",
    "podman": "las_jupyter.backends.podman:PodmanBackend",
    "fake": "las_jupyter.backends.fake:FakeBackend",
}
_ENTRY_POINTS = "las_jupyter.backends"


def load_backend(name: str) -> Backend:
    """The backend of that name. Raises ``BackendUnavailable``."""
    home = BACKENDS.get(name) or _from_elsewhere(name)
    if home is None:
        raise BackendUnavailable(f"There is no backend {name!r}.", remedy=f"one of {', '.join(sorted(BACKENDS))}")
    module, _, attribute = home.partition(":")
    try:
        backend: Backend = getattr(import_module(module), attribute)()
    except ImportError as error:
        raise BackendUnavailable(f"The backend {name!r} cannot be loaded.", cause=str(error)) from error
    return backend


def _from_elsewhere(name: str) -> str | None:
    # Only for a name that is not ours: a native supervisor never pays for this import.
    from importlib.metadata import entry_points

    return next((point.value for point in entry_points(group=_ENTRY_POINTS) if point.name == name), None)
