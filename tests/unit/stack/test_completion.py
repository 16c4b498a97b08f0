from __future__ import annotations

import pytest

from las_jupyter.stack.completion import complete

VALUES = {"modules": lambda: ["llama.cpp", "vllm"], "instances": lambda: ["chat"], "models": lambda: ["smollm2-135m"]}


@pytest.mark.parametrize(
    ("words", "fragment", "offered"),
    [
        ([], "sta", ["start", "status"]),
        (["start"], "v", ["vllm"]),
        (["start", "vllm"], "--mo", ["--model", "--mode", "--mount"]),
        (["start", "vllm", "--mode"], "", ["native", "container"]),
        (["start", "--model"], "sm", ["smollm2-135m"]),
        (["start", "--mode", "native"], "l", ["llama.cpp"]),
        (["start", "--mode=native"], "l", ["llama.cpp"]),
        (["stop"], "", ["chat"]),
        (["help"], "re", ["restart"]),
        (["start", "llama.cpp", "--"], "--c", []),
        (["nonsense"], "", []),
    ],
)
def test_what_may_come_next_is_offered(words, fragment, offered):
    assert [each.text for each in complete(words, fragment, VALUES)] == offered


def test_an_option_given_once_is_not_offered_again():
    offered = [each.text for each in complete(["start", "m", "--name", "x"], "--", VALUES)]

    assert "--name" not in offered
    assert "--env" in offered


def test_a_list_that_cannot_be_made_breaks_nothing():
    def broken() -> list[str]:
        raise OSError("no state folder")

    offered = [each.text for each in complete(["stop"], "", {"instances": broken})]

    assert offered == ["--grace", "--all"]
