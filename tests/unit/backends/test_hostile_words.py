"""What an engine says is partly a registry's or an image's: it is read for its beginning, and soon."""

from __future__ import annotations

import time

import pytest

from las_jupyter.backends.oci_errors import explain
from las_jupyter.backends.oci_pull import explain_pull

FLOODS = (
    "image platform",
    "exec ",
    "port 1 failed",
    "unknown runtime ",
    "cpu",
    "listen tcp 1:",
    "a",
    "manifest for x ",
)


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_words_of_an_engine_is_explained_soon(flood: str) -> None:
    text = flood * (100_000 // len(flood))

    begun = time.process_time()
    explain("one", "docker", text)
    explain_pull("one", "docker", "x:1", text)

    assert time.process_time() - begun < 5


def test_its_reason_at_the_beginning_is_found_all_the_same() -> None:
    told = explain("one", "docker", "no space left on device: " + "image platform" * 1000)

    assert told.cause == "the engine's disk is full"
