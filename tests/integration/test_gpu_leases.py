"""Two kernels that plan at the same moment do not both get the GPU."""

from __future__ import annotations

import threading

import pytest
from native_house import House, house

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Gpus, LaunchSpec
from las_jupyter.runtime.manager import Manager

__all__ = ["house"]

pytestmark = pytest.mark.native


def wanting(house: House, name: str, *ids: str, share: bool = False) -> LaunchSpec:
    return house.spec("says=up", name=name, gpus=Gpus(ids, "nvidia"), share_gpu=share)


def test_of_clients_that_start_at_once_one_gets_the_gpu(house: House) -> None:
    together, came_out = threading.Barrier(3), []

    def start(name: str) -> None:
        together.wait(10)
        try:
            came_out.append(Manager(house.paths).start(wanting(house, name, "0"), {}).snapshot.name)
        except PlanRefused as refused:
            came_out.append(refused)

    threads = [threading.Thread(target=start, args=(name,)) for name in ("one", "two", "three")]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    winners = [each for each in came_out if isinstance(each, str)]
    refused = [each for each in came_out if isinstance(each, PlanRefused)]
    assert (len(winners), len(refused)) == (1, 2)
    assert all(f"given to {winners[0]}" in (each.cause or "") for each in refused)
    assert sorted(house.manager.names()) == winners


def test_a_gpu_is_shared_when_that_is_said_and_free_again_after_the_end(house: House) -> None:
    house.manager.start(wanting(house, "one", "0"), {})

    with pytest.raises(PlanRefused, match="GPU 0 is in use"):
        house.manager.start(wanting(house, "two", "1", "0"), {})
    house.manager.start(wanting(house, "two", "0", share=True), {})
    house.manager.stop("two")
    house.manager.stop("one")
    assert not house.manager.start(wanting(house, "three", "0"), {}).reused
