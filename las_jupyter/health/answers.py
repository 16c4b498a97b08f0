"""What a probe can answer. Not having been able to ask is an answer of its own, and never a no."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Word(Enum):
    YES = "yes"
    NO = "no"
    LOADING = "loading"
    UNASKED = "unasked"


class Answer(NamedTuple):
    """One answer with its reason, a clause that can stand behind ``because``."""

    word: Word
    reason: str
