from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests import template
from las_jupyter.manifests.template import fill, fill_text, mistake, names_in

VALUES = {"engine": ("python", "-m", "x"), "port": "8080", "port:grpc": "8081", "model": "/m/{port}", "context": ""}


def test_a_name_alone_may_become_several_words():
    assert fill(["{engine}", "--port={port}"], VALUES) == ("python", "-m", "x", "--port=8080")


def test_an_optional_group_is_left_out_as_a_whole():
    argv = [["--ctx-size", "{context}"], ["--gpus", "{gpu_count}"], ["--port", "{port}"]]

    assert fill(argv, VALUES) == ("--port", "8080")


def test_a_name_without_a_value_outside_a_group_is_an_error():
    with pytest.raises(InvalidManifest) as caught:
        fill(["--gpus", "{gpu_count}"], VALUES)

    assert "optional group" in str(caught.value.remedy)


def test_a_word_outside_the_closed_set_names_the_nearest():
    assert "did you mean {port}?" in str(mistake("--port={prot}"))
    with pytest.raises(InvalidManifest) as caught:
        fill(["{prot}"], VALUES)
    assert "did you mean {port}?" in str(caught.value.cause)


@pytest.mark.parametrize("word", ["{", "}", "a{b", "{}", "{Port}", "{port", "{port:}", "{port:a:}x{"])
def test_a_brace_that_means_nothing_is_an_error(word: str):
    assert mistake(word)


def test_doubled_braces_are_braces():
    assert fill(['{{"a": {port}}}'], VALUES) == ('{"a": 8080}',)


def test_what_was_filled_in_is_not_filled_in_again():
    assert fill(["{model}"], VALUES) == ("/m/{port}",)


def test_the_file_of_a_secret_is_left_to_the_backend():
    assert fill(["--key", "{secret_file:api_key}"], {}) == ("--key", "{secret_file:api_key}")
    assert fill([["--key", "{secret_file:api_key}"]], {}) == ("--key", "{secret_file:api_key}")


def test_env_values_are_filled_as_one_text():
    assert fill_text("http://{port}:{port:grpc}", VALUES) == "http://8080:8081"
    assert fill_text("", VALUES) == ""


def test_every_name_says_what_it_means():
    assert all(template.NAMES.values())
    assert names_in(["{port:grpc}", ["{model}"]]) == {"port:grpc", "model"}


@given(st.text(alphabet="{}:abporte_ ", max_size=30))
def test_a_word_without_a_mistake_can_be_filled(word: str):
    if mistake(word) is not None:
        return
    values = {name.partition(":")[0] if name in template.NAMES else name: "v" for name in names_in([word])}

    filled = fill([word], values)

    assert len(filled) == 1
