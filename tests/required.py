"""What must be there in this run, and the one way to say that it is not."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def required(what: str) -> bool:
    """Whether a missing ``what`` is a failure in this run."""
    words = os.environ.get("LAS_TEST_REQUIRE", "").split(",")
    return what in words or "all" in words


def missing(what: str, why: str) -> NoReturn:
    """Skip the test because ``what`` is not here, or fail it where it is required."""
    if required(what):
        pytest.fail(f"{what} is required here: {why}", pytrace=False)
    pytest.skip(f"{what}: {why}")
