"""
What a probe can answer. Not having been able to ask is an answer of its own, and never a no.

Neither is a stranger on the port a no: nothing was asked then, and what is known is certain at once.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Word(Enum):
    YES = "yes"
    NO = "no"
    LOADING = "loading"
    UNASKED = "unasked"
    FOREIGN = "foreign"


class Answer(NamedTuple):
    """One answer with its reason, a clause that can stand behind ``because``."""

    word: Word
    reason: str
