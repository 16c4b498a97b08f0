from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import BadRequest, LasError, UnknownOption
from las_jupyter.stack.grammar import BY_NAME, VERBS
from las_jupyter.stack.parsing import parse
from las_jupyter.stack.requests import StartOptions
from las_jupyter.stack.stack import Stack
from las_jupyter.stack.verbs import verb_signature


def test_the_example_of_the_manual_is_understood():
    line = "start vllm --model ./Qwen3-8B --mode native --gpus 0 --memory 24GB --name chat"

    command = parse(line.split())

    assert command.values == {
        "module": "vllm", "model": "./Qwen3-8B", "mode": "native", "gpus": "0", "memory": 24 * 10**9, "name": "chat"
    }  # fmt: skip


def test_everything_after_two_dashes_goes_to_the_engine_untouched():
    command = parse(["start", "llama.cpp", "--", "--ctx-size", "8192", "--name", "--"])

    assert command.values == {"module": "llama.cpp", "args": ("--ctx-size", "8192", "--name", "--")}


def test_an_option_takes_its_value_after_an_equals_sign_too():
    assert parse(["logs", "--tail=20", "chat"]).values == {"tail": 20, "name": "chat"}


def test_repeated_environment_variables_add_up():
    assert parse(["start", "m", "--env", "A=1", "--env", "B=x=y"]).values["env"] == {"A": "1", "B": "x=y"}


def test_a_misspelt_option_names_the_one_that_was_meant():
    with pytest.raises(UnknownOption) as caught:
        parse(["start", "vllm", "--modle", "x"])

    assert caught.value.message == "start has no option --modle."
    assert caught.value.remedy == "did you mean --model?"


def test_a_misspelt_verb_names_the_one_that_was_meant():
    with pytest.raises(UnknownOption) as caught:
        parse(["strat", "vllm"])

    assert caught.value.remedy == "did you mean: %las start"


def test_an_engine_option_in_the_wrong_place_is_told_where_it_goes():
    with pytest.raises(UnknownOption, match="start has no option --n-gpu-layers") as caught:
        parse(["start", "llama.cpp", "--n-gpu-layers", "9"])

    assert "after --" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["start"], "start lacks its module."),
        (["start", "a", "b"], "start does not know what to do with 'b'."),
        (["start", "a", "--port", "many"], "--port cannot be 'many'."),
        (["start", "a", "--memory", "8 parsecs"], "--memory cannot be '8 parsecs'."),
        (["start", "a", "--mode", "contanier"], "--mode cannot be 'contanier'."),
        (["start", "a", "--env", "=A"], "--env cannot be '=A'."),
        (["start", "a", "--model"], "--model lacks its value."),
        (["start", "a", "--overcommit=yes"], "--overcommit takes no value."),
        (["status", "--", "x"], "status takes no --."),
    ],
)
def test_words_that_make_no_sense_are_named(words: list[str], message: str):
    with pytest.raises(BadRequest) as caught:
        parse(words)

    assert caught.value.message == message


def test_a_wrong_choice_names_the_one_that_was_meant():
    with pytest.raises(BadRequest) as caught:
        parse(["start", "a", "--mode", "contanier"])

    assert caught.value.remedy == "did you mean --mode container?"


def test_help_may_be_asked_for_before_the_line_is_complete():
    command = parse(["start", "--help"])

    assert command.help
    assert command.verb is BY_NAME["start"]


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_are_understood_or_refused_in_our_own_terms(words: list[str]):
    try:
        command = parse(words)
    except LasError as error:
        assert error.message
    else:
        assert command.verb is None or command.verb in VERBS


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.api], ids=lambda verb: verb.name)
def test_every_option_of_a_verb_is_a_keyword_of_the_method_behind_it(verb):
    known = set(verb_signature(getattr(Stack, verb.api)).parameters)
    asked = {option.name for option in verb.options} | {place.name for place in verb.positionals}

    # Following is another method with the same arguments.
    assert asked - {"follow"} <= known


def test_every_start_option_of_python_can_be_typed():
    typed = {option.name for option in BY_NAME["start"].options}

    assert typed - {"wait"} == set(StartOptions.__annotations__) - {"args"}
