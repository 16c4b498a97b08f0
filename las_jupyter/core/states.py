"""The states a person sees: of the process, of its health, and the words beside them."""

from __future__ import annotations

from enum import StrEnum


class Word(StrEnum):
    """A word of ours; a cell that ends in ``llm.state`` shows ``'running'`` and not how it is made."""

    def __repr__(self) -> str:
        return repr(self.value)


class ProcessState(Word):
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


class HealthState(Word):
    """What the last probes said. ``UNKNOWN`` is a value: not asked, could not ask, or still loading."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Mode(Word):
    """How a module is executed."""

    NATIVE = "native"
    CONTAINER = "container"


class RestartPolicy(Word):
    """When the supervisor starts the module again by itself; ``NO`` unless the user configured it."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class LogCapture(Word):
    """How what a native module writes comes into its log."""

    AUTO = "auto"
    DIRECT = "direct"
    PUMP = "pump"


class Trust(Word):
    """
    What a manifest may do: one that comes with us or was trusted as it is may run natively.

    Of any other nothing is looked up, run, asked or shown beyond its own container.
    """

    BUNDLED = "bundled"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Lifetime(Word):
    """Whether an instance outlives the kernel that started it."""

    DETACHED = "detached"
    KERNEL = "kernel"
