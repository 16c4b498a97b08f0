"""One file for each start, never overwritten, opened so that the module itself appends to it."""

from __future__ import annotations

import os

from las_jupyter.core.launch import LogRule


class LogStore:
    """The logs of one instance in ``folder``."""

    def __init__(self, folder: str, rule: LogRule) -> None:
        self.folder = folder
        self.rule = rule
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def open(self, generation: int, stamp: str) -> tuple[str, int]:
        """A new file for start number ``generation`` and a descriptor that appends to it."""
        path = os.path.join(self.folder, f"{generation:04d}-{stamp}.log")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return path, os.open(path, flags, 0o600)

    def tick(self) -> float | None:
        """Do what is due; seconds until it wants to be called again."""
        return None
