"""The words a manifest may use for a mode, and what those of LocalAIStack mean that we cannot start."""

from __future__ import annotations

from las_jupyter.core.states import Mode

_UPSTREAM = {
    "binary": "a prebuilt program that LocalAIStack installs; once it is installed, its mode here is native",
    "source": "a program that LocalAIStack builds from source; once it is built, its mode here is native",
    "cpu": "a Python package for processors only; its mode here is native",
    "gpu": "a Python package for GPUs; its mode here is native",
    "python": "a Python package that is imported or called, not a server that runs",
    "docker": "its mode here is container",
    "podman": "its mode here is container",
}


def startable(mode: str) -> bool:
    """Whether it is a mode that we can start."""
    return mode in (Mode.NATIVE, Mode.CONTAINER)


def explain(mode: str) -> str:
    """What a mode that we cannot start means, as a clause."""
    return _UPSTREAM.get(mode, "a mode that is not known here; known are native and container")
