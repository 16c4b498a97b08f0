"""The states a person sees: of the process, of its health, and the words beside them."""

from __future__ import annotations

from enum import StrEnum


class ProcessState(StrEnum):
    """Where the instance's process is in its life. ``BACKOFF`` is the wait between configured restarts."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    BACKOFF = "backoff"

    @property
    def alive(self) -> bool:
        """Whether a supervisor owns this instance now, or should."""
        return self in (
            ProcessState.STARTING,
            ProcessState.RUNNING,
            ProcessState.STOPPING,
            ProcessState.BACKOFF,
        )


class HealthState(StrEnum):
    """What the last probes said. ``UNKNOWN`` is a value: not asked, could not ask, or still loading."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """How a module is executed."""

    NATIVE = "native"
    CONTAINER = "container"


class RestartPolicy(StrEnum):
    """When the supervisor starts the module again by itself; ``NO`` unless the user configured it."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Lifetime(StrEnum):
    """Whether an instance outlives the kernel that started it."""

    DETACHED = "detached"
    KERNEL = "kernel"
