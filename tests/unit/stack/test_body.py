from __future__ import annotations

import pytest

from las_jupyter.core.errors import BadRequest, UnknownOption
from las_jupyter.stack.body import read_body
from las_jupyter.stack.parsing import parse


def read(line: str, body: str) -> dict:
    return read_body(parse(line.split()), body).values


def test_options_in_the_cell_are_the_options_of_the_line():
    body = """
        model = "./m.gguf"
        memory = "8GB"
        gpus = [0, 1]
        share-gpu = true
        timeout = 90
        mounts = ["/a:/a", "/b:/b:rw"]
        args = ["--ctx-size", 8192]
        [env]
        OMP_NUM_THREADS = 2
    """

    assert read("start vllm", body) == {
        "module": "vllm", "model": "./m.gguf", "memory": 8 * 10**9, "gpus": "0,1", "share_gpu": True, "timeout": 90.0,
        "mounts": ["/a:/a", "/b:/b:rw"], "args": ("--ctx-size", "8192"), "env": {"OMP_NUM_THREADS": "2"},
    }  # fmt: skip


def test_the_line_wins_over_the_cell():
    assert read("start vllm --port 9000", "port = 8000\nname = 'chat'") == {
        "module": "vllm", "port": 9000, "name": "chat"
    }  # fmt: skip


def test_braces_and_dollars_in_the_cell_are_left_alone():
    assert read("start vllm", "args = ['--template', '{x} $HOME']")["args"] == ("--template", "{x} $HOME")


def test_a_cell_that_is_not_toml_is_told_where():
    with pytest.raises(BadRequest) as caught:
        read("start vllm", 'model = "a"\nport == 3\n')

    assert "line 2, column 7" in (caught.value.cause or "")


def test_an_unknown_option_in_the_cell_is_told_where_and_what_was_meant():
    with pytest.raises(UnknownOption) as caught:
        read("start vllm", 'name = "a"\n  memroy = "8GB"\n')

    assert caught.value.message == "start has no option 'memroy' (line 2, column 3)."
    assert caught.value.remedy == "did you mean memory?"


def test_a_value_of_the_wrong_kind_is_named():
    with pytest.raises(BadRequest, match="--overcommit cannot be 'yes'"):
        read("start vllm", 'overcommit = "yes"')


def test_waiting_can_be_turned_off_in_the_cell():
    assert read("start vllm", "wait = false")["wait"] is False


def test_other_verbs_take_no_cell():
    with pytest.raises(BadRequest, match="takes no cell body"):
        read("status", "x = 1")


def test_a_cell_without_a_verb_is_told_where_the_verb_stands():
    with pytest.raises(BadRequest, match="The cell has no verb on its first line") as caught:
        read("", "start http-echo")

    assert "%%las start MODULE" in (caught.value.remedy or "")
