"""What people type: verbs, options, sizes, models, cells."""

from __future__ import annotations

from fuzzing import ODD, WORDS, careful, understood_or_refused
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.quantities import format_size, parse_duration, parse_size
from las_jupyter.magics.words import split_line
from las_jupyter.models.reference import parse as parse_model
from las_jupyter.stack.body import read_body
from las_jupyter.stack.completion import complete
from las_jupyter.stack.grammar import BY_NAME, VERBS
from las_jupyter.stack.parsing import parse
from las_jupyter.stack.reading import read_log
from las_jupyter.stack.requests import StartOptions, start_request
from las_jupyter.state.paths import check_name

TEXT = st.one_of(st.sampled_from(WORDS), st.text(max_size=20))
KNOWN = (
    [verb.name for verb in VERBS] + [option.word for verb in VERBS for option in verb.options] + ["--", "--help", "-f"]
)
LINE = st.lists(st.one_of(st.sampled_from(KNOWN), TEXT), max_size=6)


@careful
@given(LINE)
def test_words_are_understood_or_refused(words):
    command = understood_or_refused(lambda: parse(words))
    if command is not None and command.verb is BY_NAME["start"] and not command.help:
        values = dict(command.values)
        values.pop("wait", None)
        understood_or_refused(lambda: start_request(values.pop("module"), values))  # type: ignore[arg-type]


@careful
@given(st.one_of(st.text(max_size=60), LINE.map(" ".join)))
def test_a_line_of_a_cell_is_understood_or_refused(line):
    understood_or_refused(lambda: parse(split_line(line)[0]))


@careful
@given(
    st.one_of(
        st.text(max_size=80), st.tuples(st.sampled_from(list(StartOptions.__annotations__)), TEXT).map(" = ".join)
    )
)
def test_the_body_of_a_cell_is_understood_or_refused(body):
    understood_or_refused(lambda: read_body(parse(["start", "vllm"]), body))


@careful
@given(st.dictionaries(st.sampled_from(list(StartOptions.__annotations__)), ODD, max_size=3), TEXT)
def test_arguments_in_python_are_understood_or_refused(options, module):
    understood_or_refused(lambda: start_request(module, options))


@careful
@given(st.one_of(TEXT, st.from_regex(r"[0-9._²]{1,6} ?[a-zA-Z]{0,4}", fullmatch=True)))
def test_quantities_are_understood_or_a_value_error(text):
    for read in (parse_size, parse_duration):
        try:
            format_size(int(read(text)))
        except ValueError as error:
            assert str(error)


@careful
@given(st.one_of(TEXT, st.from_regex(r"(pypi:|hf:|~|\./)[a-z=/@.]{0,12}", fullmatch=True)))
def test_a_model_is_understood_or_refused(text):
    understood_or_refused(lambda: parse_model(text))


@careful
@given(TEXT)
def test_a_name_is_taken_or_refused(text):
    understood_or_refused(lambda: check_name(text))


class NoLog:
    size = 0

    def tail(self, n: int) -> list[str]:
        return []

    def since(self, epoch: float) -> list[str]:
        return []

    def grep(self, pattern: str, limit: int) -> list[str]:
        return []


@careful
@given(st.one_of(st.none(), ODD), st.one_of(st.none(), TEXT), st.one_of(st.none(), st.integers()))
def test_questions_to_a_log_are_understood_or_refused(since, grep, tail):
    from small_house import small_stack

    stack, _, _ = small_stack()
    stack.start("llama.cpp")
    snapshot = stack.snapshot("llama.cpp")
    understood_or_refused(lambda: read_log(NoLog(), snapshot, tail=tail, since=since, grep=grep, now=1.8e9))  # type: ignore[arg-type]


@careful
@given(LINE, st.sampled_from(["", "--", "s"]))
def test_completion_never_fails(words, last):
    complete(words, last, {"modules": lambda: ["vllm"], "models": list, "instances": list})
