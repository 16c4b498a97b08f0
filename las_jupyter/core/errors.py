"""
What can go wrong, as a person reads it: one sentence, a cause, a remedy.

::

    LasError
    ├── BadRequest            the words typed do not make a request
    │   ├── UnknownModule
    │   ├── UnknownModel
    │   └── UnknownOption
    ├── InvalidFile           a manifest, policy, settings or model file cannot be used
    │   ├── InvalidManifest
    │   ├── InvalidPolicy
    │   ├── InvalidSettings
    │   └── InvalidModel
    ├── PlanRefused           everything was understood, and the answer is no
    │   ├── NotTrusted
    │   └── PortTaken
    ├── InstanceConflict      the name is in use by something else
    ├── NoSuchInstance
    ├── LaunchFailed          the backend could not start it, or it ended before it was ready
    │   └── StartTimeout
    ├── StopFailed            something is still alive after the last resort
    ├── BackendUnavailable    Docker, Podman or the native backend cannot be used now
    ├── SupervisorUnreachable the supervisor does not answer, or is of another version
    ├── DownloadFailed
    └── StateDamaged          a file of ours is corrupt; it was moved aside
"""

from __future__ import annotations

from las_jupyter.core.unseen import in_line

NEXT_STEP = "→ "
"""What a line of advice begins with."""


class LasError(Exception):
    """
    The base of everything we raise on purpose.

    ``message`` is one sentence in the user's words; ``cause`` says why, when more is known; ``remedy`` is the
    next step, most often a command. ``details`` are further lines (a log tail, numbers), shown below.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        remedy: str | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.remedy = remedy
        self.details = details

    def lines(self) -> list[str]:
        """
        The error as a person reads it, one string a line, without our frames.

        A file's name, a log or a manifest may stand in it: what cannot be seen of them is gone, and a line is one line.
        """
        told = [f"{type(self).__name__}: {in_line(self.message)}"]
        if self.cause:
            told.append(f"  because {in_line(self.cause)}")
        told.extend(f"  {in_line(line)}" for line in self.details)
        if self.remedy:
            told.append(f"{NEXT_STEP}{in_line(self.remedy)}")
        return told

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the cell shows these lines and still counts as failed."""
        return self.lines()


class BadRequest(LasError):
    """The words typed do not make a request."""


class UnknownModule(BadRequest):
    """No manifest of that name is in the catalog."""


class UnknownModel(BadRequest):
    """The model reference names nothing we can find."""


class UnknownOption(BadRequest):
    """A verb or an option that we do not have."""


class InvalidFile(LasError):
    """A file the user gave cannot be used."""


class InvalidManifest(InvalidFile):
    """A manifest that breaks the schema; names file, line and field."""


class InvalidPolicy(InvalidFile):
    """A policy file that breaks the schema."""


class InvalidSettings(InvalidFile):
    """One or more settings cannot be read; all of them are named at once."""


class InvalidModel(InvalidFile):
    """A model file that is not what its name says: truncated, or another format."""


class PlanRefused(LasError):
    """Everything was understood, and the answer is no; nothing was touched."""


class NotTrusted(PlanRefused):
    """Native execution of a manifest that is neither bundled nor pinned."""


class PortTaken(PlanRefused):
    """Another program listens there, or an instance was promised it."""


class InstanceConflict(LasError):
    """An instance of that name runs with another spec, or another start is under way."""


class NoSuchInstance(LasError):
    """No instance of that name is known here."""


class LaunchFailed(LasError):
    """The module could not be started, or it ended before it was ready."""


class StartTimeout(LaunchFailed):
    """The module made no progress for longer than allowed."""


class StopFailed(LasError):
    """Something of the instance is still alive after the last resort; it is named."""


class BackendUnavailable(LasError):
    """The backend cannot be used at the moment; the remedy says what to do."""


class SupervisorUnreachable(LasError):
    """The supervisor of a running instance does not answer."""


class DownloadFailed(LasError):
    """A model or image could not be fetched; what is there of it was kept or removed, as said."""


class StateDamaged(LasError):
    """A file of ours is corrupt; it was moved aside and nothing was deleted."""
