"""Limits in words."""

from __future__ import annotations

from las_jupyter.core.enforcement import limit_words
from las_jupyter.core.launch import Limits


def test_limits_are_told_with_their_size_and_who_keeps_them() -> None:
    limits = Limits(memory=2 * 2**30, cpus=0.5, pids=4096)

    assert limit_words(limits, {"memory": "cgroup v1", "cpus": "none", "pids": "cgroup v1"}) == (
        "memory 2.0 GiB, 4096 processes enforced by cgroup v1",
        "0.5 cores not enforced here",
    )
    assert limit_words(limits, {"memory": "watched", "pids": "watched"}) == (
        "memory 2.0 GiB watched every 2 s",
        "4096 processes watched every 5 s",
    )


def test_a_limit_of_unknown_size_is_told_by_its_name() -> None:
    assert limit_words(Limits(), {"memory": "engine"}) == ("memory enforced by the engine",)
