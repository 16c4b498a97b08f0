"""The estimate of a plan against the real engine: never too little, and not far too much."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from native_house import House, house

from las_jupyter.core.launch import HttpProbe, Port, ReadyRule
from las_jupyter.core.quantities import format_size
from las_jupyter.engines.find import RUNNER
from las_jupyter.models.fetch import fetch
from las_jupyter.models.reference import parse
from las_jupyter.resources.fit import Shape, need_of
from las_jupyter.resources.gguf_info import read_gguf

__all__ = ["house"]

pytestmark = [pytest.mark.llamacpp, pytest.mark.native]


@pytest.mark.parametrize("context", [2048, 8192])
def test_the_estimate_is_the_truth_and_a_half_at_most(house: House, context: int) -> None:
    if find_spec("xllamacpp") is None:
        pytest.skip("llamacpp: xllamacpp is not installed")
    model = fetch(parse("smollm2-135m"))
    spec = house.spec("unused", served=True)
    port = spec.ports[0].host
    python = spec.argv[0]
    argv = (python, str(RUNNER), "--model", str(model), "--port", str(port), "-c", str(context))
    rules = ReadyRule(HttpProbe(path="/health", loading=(503,)))

    house.manager.start(spec._replace(argv=argv, ports=(Port("http", port, port),), ready=rules), {})
    house.manager.wait_ready("one", timeout=60)
    used = house.manager.usage("one")

    estimate = need_of(read_gguf(model), Shape(context, 4))
    assert used is not None
    told = f"{format_size(used.memory)} used, and the estimate said {estimate.text}"
    assert used.memory <= estimate.total <= 1.5 * used.memory, told
