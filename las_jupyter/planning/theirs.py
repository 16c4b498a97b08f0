"""
What a manifest says in its own words, as it may be shown.

A manifest that nobody here vouches for never speaks in the place of our advice: it is quoted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.display.words import theirs
from las_jupyter.manifests import lower

if TYPE_CHECKING:
    from las_jupyter.core.launch import Failure, Phase
    from las_jupyter.manifests.catalog import Entry
    from las_jupyter.manifests.schema import ContainerLaunch


def failures_of(entry: Entry) -> tuple[Failure, ...]:
    """Its known failures; the remedy of an untrusted one is part of what it says, and no advice."""
    rows = lower.failures(entry.manifest)
    if entry.trusted:
        return rows
    return tuple(row._replace(meaning=theirs(f"{row.meaning}; {row.remedy}"), remedy="") for row in rows)


def container_of(entry: Entry) -> ContainerLaunch:
    """How it runs in a container."""
    part = lower.container(entry.manifest)
    if entry.trusted or not part.user_reason:
        return part
    return part.model_copy(update={"user_reason": theirs(part.user_reason)})


def phases_of(entry: Entry) -> tuple[Phase, ...]:
    """Its milestones while it loads."""
    rows = lower.phases(entry.manifest)
    return rows if entry.trusted else tuple(row._replace(says=theirs(row.says)) for row in rows)
