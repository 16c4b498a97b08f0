"""What a person trusted: manifests and project files, in one list, and how trust is given and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, InvalidFile
from las_jupyter.manifests.load import read_file
from las_jupyter.manifests.trust import distrust, pins, standing, trust
from las_jupyter.settings.project import trust_project, why_unpinned


class TrustedFile(NamedTuple):
    """
    A file that was trusted.

    ``allows`` says what it may do while it is as it was; ``lost`` why it may not do it now, empty where it may.
    """

    path: str
    allows: str
    lost: str


def trusted_files() -> tuple[TrustedFile, ...]:
    """All that was trusted, by its path, and whether it still is what was trusted. Raises ``InvalidSettings``."""
    return tuple(_trusted_file(Path(path)) for path in sorted(pins()))


def _trusted_file(path: Path) -> TrustedFile:
    settings = _is_settings(path)
    allows = "choose programs, folders and rules" if settings else "run natively"
    if not path.exists():
        return TrustedFile(str(path), allows, "it is not there any more")
    try:
        lost = why_unpinned(path) if settings else _changed(path)
    except InvalidFile as error:
        lost = error.cause or error.message
    return TrustedFile(str(path), allows, lost or "")


def _changed(path: Path) -> str | None:
    found = standing(path, read_file(path))
    return None if found.trusted else found.why


def give_trust(path: str) -> str:
    """Pin what ``path`` says now; the sentence that says what that allows. Raises ``InvalidFile``."""
    return trust_project(path) if _is_settings(Path(path)) else trust(path)


def take_trust(path: str) -> str:
    """Take the trust of ``path`` back; the sentence that says so. The file need not be there any more."""
    if not distrust(path):
        raise BadRequest(
            f"{path} was not trusted.",
            cause=f"trusted are {', '.join(sorted(pins()))}" if pins() else "nothing is",
            remedy="%las trust lists what is",
        )
    return f"{word(path)} is trusted no longer. What runs from it goes on until it is stopped."


def _is_settings(path: Path) -> bool:
    return path.suffix == ".toml"
