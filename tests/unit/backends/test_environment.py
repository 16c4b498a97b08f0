"""A native module sees the GPUs it was given and no other."""

from __future__ import annotations

import pytest

from las_jupyter.backends.environment import environment
from las_jupyter.core.launch import Gpus, LaunchSpec
from las_jupyter.core.states import Mode


@pytest.mark.parametrize(
    ("gpus", "cuda", "hip", "rocr"),
    [
        (Gpus(), "", "", ""),
        (Gpus(("1",), "nvidia"), "1", "1", "1"),
        (Gpus(("1", "3"), "amd"), "0,1", "0,1", "1,3"),
    ],
    ids=["none", "NVIDIA's by number", "AMD's are counted anew by the second layer"],
)
def test_only_the_gpus_it_was_given_are_seen(gpus, cuda, hip, rocr):
    inherited = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"), "7")

    found = environment(inherited, LaunchSpec("x", "x", Mode.NATIVE, "native", ("x",), gpus=gpus), {})

    names = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
    assert [found[name] for name in names] == [cuda, hip, rocr]
