"""What the panel asks of the rest of the house; ``stack.Stack`` keeps this promise."""

from __future__ import annotations

from typing import Any, Protocol

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Snapshot, Usage


class PanelSource(Protocol):
    """Every method may be called from any thread, and may block for a moment."""

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All instances now."""

    def spec(self, name: str) -> LaunchSpec:
        """What was decided for ``name``."""

    def usage(self, name: str) -> Usage | None:
        """What it uses now, None when nobody can tell."""

    def log_reader(self, name: str) -> Any:
        """A ``logs.reader.LogReader`` of its last start."""

    def command(self, verb: str, name: str) -> None:
        """Carry out ``stop``, ``restart``, ``start`` or ``rm``. Raises ``LasError``."""
