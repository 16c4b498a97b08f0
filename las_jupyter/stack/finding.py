"""One thing the doctor looked at."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing looked at. ``good`` None: it could not be told, or it is a choice and no lack."""

    subject: str
    good: bool | None
    says: str
    cure: str = ""
