"""GPU memory of a tree is the sum of what its own processes hold."""

from __future__ import annotations

import pytest

from las_jupyter.resources.vram import Holding, vram_of

GIB = 2**30


@pytest.mark.parametrize(
    ("holdings", "told"),
    [
        ([], None),
        ([Holding(0, 99, GIB)], None),
        ([Holding(0, 1, GIB), Holding(0, 99, 5 * GIB)], GIB),
        ([Holding(0, 1, GIB), Holding(1, 1, GIB), Holding(1, 2, 2 * GIB)], 4 * GIB),
        ([Holding(0, 1, GIB), Holding(0, 1, GIB)], GIB),
        ([Holding(0, 1, None)], None),
        ([Holding(0, 1, GIB), Holding(1, 2, None)], None),
    ],
    ids=["nobody", "a stranger", "beside a stranger", "two GPUs", "computes and draws", "untold", "half told"],
)
def test_a_tree_holds_what_its_processes_hold(holdings: list[Holding], told: int | None) -> None:
    assert vram_of({1, 2}, holdings) == told
