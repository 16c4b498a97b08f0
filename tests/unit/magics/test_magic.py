from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython
from small_house import small_stack

from las_jupyter.core.errors import BadRequest
from las_jupyter.core.states import ProcessState
from las_jupyter.magics import extension, load_ipython_extension, unload_ipython_extension
from las_jupyter.magics.matcher import Matcher
from las_jupyter.magics.words import split_line
from las_jupyter.stack.waiting import WaitInterrupted


@pytest.fixture(scope="session")
def session_shell():
    return start_ipython() or InteractiveShell.instance()


@pytest.fixture
def small(session_shell, monkeypatch):
    stack, house, _ = small_stack()
    monkeypatch.setattr(extension, "default_stack", lambda: stack)
    load_ipython_extension(session_shell)
    yield house
    unload_ipython_extension(session_shell)
    session_shell.reset(new_session=False)


@pytest.fixture
def run(session_shell, small):
    def run(cell: str):
        return session_shell.run_cell(cell, store_history=False)

    return run


def completed(shell, text: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell.Completer, "use_jedi", False)
        lines = text.split("\n")
        found = shell.Completer._complete(
            cursor_line=len(lines) - 1, cursor_pos=len(lines[-1]), full_text=text, line_buffer=lines[-1]
        )
    return [each.text for each in found["las"]["completions"]] if "las" in found else []


def test_a_start_is_the_value_of_its_cell(run):
    result = run("%las start llama.cpp --model smollm2-135m")

    assert result.result.state is ProcessState.RUNNING


def test_a_start_can_be_given_a_name_in_the_notebook(run, session_shell):
    run("x = %las start llama.cpp")

    assert session_shell.user_ns["x"].name == "llama.cpp"


def test_variables_are_filled_in_on_the_line(run, small):
    run("where = 'a model.gguf'\n%las start llama.cpp --model '{where}'")

    assert small.planned[0].model == "a model.gguf"


def test_a_semicolon_at_the_end_silences_and_is_no_word(run, small):
    result = run("%las start llama.cpp --model m;")

    assert result.success
    assert result.result is None
    assert small.planned[0].model == "m"


def test_options_may_stand_in_the_cell(run, small):
    run('%%las start llama.cpp --port 9000\nmodel = "m"\nport = 8000\n')

    assert (small.planned[0].model, small.planned[0].port) == ("m", 9000)


def test_the_bare_magic_shows_the_instances_and_the_verbs(run):
    run("%las start llama.cpp;")

    shown = run("%las").result

    assert [each.name for each in shown] == ["llama.cpp"]
    assert "%las help VERB" in repr(shown)


def test_an_error_fails_the_cell_so_that_run_all_stops(run, capsys):
    result = run("%las start lama.cpp")

    assert not result.success
    assert type(result.error_in_exec).__name__ == "UnknownModule"


def test_an_error_shows_its_lines_and_not_our_frames(run, capsys):
    run("%las start lama.cpp")

    shown = capsys.readouterr().out
    assert "UnknownModule: There is no module 'lama.cpp'." in shown
    assert "→ did you mean llama.cpp?" in shown
    assert "small_house.py" not in shown


def test_the_frames_are_there_for_who_asks(run):
    run("%las start lama.cpp")

    assert "small_house.py" in str(run("%las traceback").result)


def test_an_interrupted_wait_shows_two_lines_and_fails_the_cell(run, small, capsys):
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    small.manager.on_wait = interrupt
    result = run("%las start llama.cpp")

    assert isinstance(result.error_in_exec, WaitInterrupted)
    shown = capsys.readouterr().out
    assert "Stopped waiting for llama.cpp" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("line", ["%las --help", "%las help", "%las start --help", "%las help start"])
def test_help_is_text_and_never_leaves_the_cell(run, line):
    assert "%las" in str(run(line).result)


def test_the_question_mark_shows_the_verbs(session_shell, small):
    assert "start" in session_shell.find_line_magic("las").__doc__


def test_a_word_that_does_not_split_is_an_error_of_ours(run):
    assert isinstance(run("%las start 'open").error_in_exec, BadRequest)


@pytest.mark.parametrize(
    ("line", "words"),
    [("start a;", ["start", "a"]), ("start a ;", ["start", "a"]), ("logs 'x;'", ["logs", "x;"]), ("", [])],
)
def test_a_line_splits_as_a_shell_would(line, words):
    assert split_line(line)[0] == words


def test_following_a_log_prints_until_it_ends(run, capsys):
    run("%las start llama.cpp;")
    capsys.readouterr()

    result = run("%las logs -f")

    assert result.success
    assert capsys.readouterr().out.endswith("half a line\nand another\n")


def test_loading_twice_is_loading_once(session_shell, small):
    load_ipython_extension(session_shell)

    ours = [each for each in session_shell.Completer.custom_matchers if isinstance(each, Matcher)]
    assert len(ours) == 1


def test_unloading_takes_everything_away(session_shell, small):
    unload_ipython_extension(session_shell)
    unload_ipython_extension(session_shell)

    assert session_shell.find_line_magic("las") is None
    assert session_shell.find_cell_magic("las") is None
    assert not [each for each in session_shell.Completer.custom_matchers if isinstance(each, Matcher)]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%las sta", ["start", "status"]),
        ("%las start l", ["llama.cpp"]),
        ("x = %las start l", ["llama.cpp"]),
        ("%%las start --po", ["--port"]),
        ("%%las start llama.cpp\nmem", ["memory"]),
        ("%las start llama.cpp --mode ", ["native", "container"]),
        ("import os\nx = %las mod", ["modules"]),
    ],
)
def test_a_line_of_ours_is_completed(session_shell, small, typed, offered):
    assert completed(session_shell, typed) == offered


@pytest.mark.parametrize("typed", ["import o", "las.sta", "%time sta", "%%las start llama.cpp\nname = 'x"])
def test_other_lines_are_left_alone(session_shell, small, typed):
    assert completed(session_shell, typed) == []
