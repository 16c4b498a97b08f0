"""A word of advice is one word to a cell and to a shell, whatever it holds, and nothing in it acts."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from las_jupyter.core.advice import in_terminal, word
from las_jupyter.core.unseen import seen

ACTING = [
    *("$(id)", "`id`", "${IFS}", "$x", "$$x", "{x}", "{{x}}", "{x!r}", "!", "!!", "'", '"', "\\", "\\'", ";", "&", "|"),
    *("~", "#", "*", "?", "-", "--", "=", "=ls", "%las ", "(", ">", "\n", "\r", "\x1b[31m", "a", " "),
    *("\u202e", "\u200b", "\u034f", "\u3164", "\ufe0f"),
]
STRANGE = st.lists(st.sampled_from(ACTING) | st.characters(exclude_categories=["Cs"]), max_size=12).map("".join)
SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "fish") if shutil.which(shell)]


def pasted_into_a_cell(line: str) -> list[str]:
    """The words that a magic gets of a line, filled in by IPython itself."""
    shell = InteractiveShell.__new__(InteractiveShell)
    shell.__dict__["_user_ns"] = dict.fromkeys(["x", "a", "id", "IFS", "ls"], "FILLED")
    return shlex.split(shell.var_expand(line, depth=0))


def in_full(text: str) -> str:
    """What ``word`` may at most have changed: what cannot be seen, and a dash that would begin an option."""
    text = "".join(each if each.isprintable() and seen(each) else "?" for each in text)
    return f"./{text}" if text.startswith("-") else text


@given(st.text() | STRANGE)
def test_a_word_of_advice_is_one_word_on_one_line(text: str) -> None:
    written = word(text)

    assert len(shlex.split(written)) == 1
    assert len(written.splitlines()) == 1
    assert seen(written) == written


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_seen_is_kept_as_it_is(text: str) -> None:
    assert shlex.split(in_terminal(word(text))) == [in_full(text)]


@given(st.text() | STRANGE, st.text() | STRANGE)
def test_a_word_pasted_into_a_cell_is_filled_with_nothing(first: str, second: str) -> None:
    line = f"trust {word(first)} --name {word(second)}"

    assert pasted_into_a_cell(line) == ["trust", in_full(first), "--name", in_full(second)]


def test_the_cell_of_these_tests_does_fill_in_what_is_not_quoted() -> None:
    assert pasted_into_a_cell("trust {x} '{x}' $x") == ["trust", "FILLED", "FILLED", "FILLED"]


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text(st.characters(exclude_categories=["Cs"])) | STRANGE, min_size=1, max_size=20))
def test_words_pasted_into_a_shell_are_the_values(shell: str, words: list[str]) -> None:
    line = "printf '%s\\n' " + " ".join(in_terminal(word(each)) for each in words)

    said = subprocess.run([shell, "-c", line], capture_output=True, timeout=10, check=True).stdout

    assert said.decode(errors="surrogateescape").split("\n")[:-1] == [in_full(each) for each in words]


@settings(max_examples=20, deadline=None)
@given(text=STRANGE)
def test_an_interactive_shell_finds_no_history_in_a_word(text: str) -> None:
    script = f"set -o history -H\ntrue secret\nprintf '%s\\n' {in_terminal(word(text))}\n"

    said = subprocess.run(
        ["bash", "--norc", "--noprofile", "-i"], input=script.encode(), capture_output=True, timeout=10, check=False,
        start_new_session=True, env={"PS1": "", "PATH": "/usr/bin:/bin", "HISTFILE": "/dev/null", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip

    assert said.stdout.decode().rstrip("\n").split("\n")[-1] == in_full(text).rstrip("\n")


@pytest.mark.parametrize("name", ["-rf", "--help", "-"])
def test_no_option_is_made_of_a_name(name: str) -> None:
    assert word(name) == f"./{name}"


@given(st.text() | STRANGE)
def test_our_command_is_renamed_for_a_terminal_and_a_strangers_words_are_not(text: str) -> None:
    theirs = f"{text}%las stop{text}"

    assert shlex.split(in_terminal(f"%las trust {word(theirs)}")) == ["las-jupyter", "trust", in_full(theirs)]
    assert in_terminal(f"the module's {word('a b')}: %las status") == "the module's 'a b': las-jupyter status"
