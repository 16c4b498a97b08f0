"""What may be written as an argument of a start."""

from __future__ import annotations

import pytest
from small_house import small_stack

from las_jupyter.core.errors import (
    BadRequest,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 65536}, "port cannot be 65536."),
        ({"port": True}, "port cannot be True."),
        ({"memory": "much"}, "memory cannot be 'much'."),
        ({"memory": 0}, "memory cannot be 0."),
        ({"cpus": -1}, "cpus cannot be -1."),
        ({"timeout": "soon"}, "timeout cannot be 'soon'."),
        ({"lifetime": "kernle"}, "lifetime cannot be 'kernle'."),
        ({"args": "--ctx-size 8"}, "args cannot be one string."),
    ],
)
def test_an_argument_that_cannot_be_is_named(options, message):
    stack, house, _ = small_stack()

    with pytest.raises(BadRequest) as caught:
        stack.start("llama.cpp", **options)

    assert caught.value.message == message
    assert house.planned == []


@pytest.mark.parametrize(
    ("asked", "ids"),
    [(None, None), (0, ("0",)), ("0,1", ("0", "1")), ([0, "1"], ("0", "1")), ("all", ("all",)), ("none", ()), ([], ())],
)
def test_gpus_may_be_written_as_people_write_them(asked, ids):
    stack, house, _ = small_stack()

    stack.start("llama.cpp", gpus=asked)

    assert house.planned[0].gpus == ids
