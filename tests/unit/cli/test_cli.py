from __future__ import annotations

import json
import subprocess
import sys

import pytest
from small_house import small_stack

from las_jupyter.cli.main import main
from las_jupyter.core.errors import PlanRefused
from las_jupyter.stack import verbs


@pytest.fixture
def house(monkeypatch):
    stack, small, _ = small_stack()
    monkeypatch.setattr(verbs, "default_stack", lambda: stack)
    return small


def test_a_start_prints_the_instance_and_ends_well(house, capsys):
    assert main(["start", "llama.cpp", "--model", "m"]) == 0

    assert capsys.readouterr().out == "<llama.cpp: llama.cpp, native, running, healthy, http://127.0.0.1:8080>\n"


def test_advice_names_the_command_and_not_the_magic(house, capsys):
    main(["status"])

    assert "Start one with: las-jupyter start llama.cpp" in capsys.readouterr().out


def test_json_is_one_document(house, capsys):
    main(["start", "llama.cpp"])
    capsys.readouterr()

    assert main(["status", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)[0]["name"] == "llama.cpp"


def test_a_word_that_looks_like_a_switch_of_ours_reaches_the_engine(house, capsys):
    main(["start", "llama.cpp", "--", "--json", "--traceback"])

    assert house.planned[0].args == ("--json", "--traceback")


@pytest.mark.parametrize(
    ("words", "code"),
    [(["strat"], 2), (["start", "lama.cpp"], 2), (["stop", "chat"], 4), (["panel"], 2), (["traceback"], 2),
     (["start", "llama.cpp", "--lifetime", "kernel"], 2), (["help"], 0), ([], 0), (["--version"], 0),
     (["completion", "bash"], 0), (["completion", "basch"], 2)],
)  # fmt: skip
def test_the_exit_code_says_what_kind_of_end_it_was(house, capsys, words, code):
    assert main(words) == code


def test_a_refusal_has_its_own_exit_code(house, capsys):
    house.refusal = PlanRefused("There is not enough memory.", remedy="%las stop big")

    assert main(["start", "llama.cpp"]) == 3

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PlanRefused: There is not enough memory.\n→ las-jupyter stop big\n"


def test_an_error_is_data_for_a_script(house, capsys):
    assert main(["stop", "chat", "--json"]) == 4

    assert json.loads(capsys.readouterr().out)["error"]["type"] == "NoSuchInstance"


def test_advice_as_data_names_the_command_and_not_the_magic_too(house, capsys):
    house.refusal = PlanRefused("There is not enough memory.", remedy="%las stop big")

    main(["start", "llama.cpp", "--json"])

    assert json.loads(capsys.readouterr().out)["error"]["remedy"] == "las-jupyter stop big"


def test_the_frames_are_there_for_who_asks(house, capsys):
    main(["--traceback", "stop", "chat"])

    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_its_code_and_says_what_goes_on(house, capsys):
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    house.manager.on_wait = interrupt

    assert main(["start", "llama.cpp"]) == 130
    assert "goes on in the background" in capsys.readouterr().err


def test_logs_can_be_followed(house, capsys):
    main(["start", "llama.cpp"])
    capsys.readouterr()

    assert main(["logs", "-f", "--tail", "1"]) == 0

    assert capsys.readouterr().out == "three <script>\nhalf a line\nand another\n"


def test_a_shell_gets_candidates_one_a_line(house, capsys):
    main(["__complete", "start", "l"])

    assert capsys.readouterr().out == "llama.cpp\n"


def test_the_bash_script_completes_in_a_real_bash(tmp_path):
    command = tmp_path / "las-jupyter"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m las_jupyter.cli "$@"\n')
    command.chmod(0o755)
    script = (
        f'PATH={tmp_path}:$PATH; eval "$(las-jupyter completion bash)"; '
        'COMP_WORDS=(las-jupyter sta); COMP_CWORD=1; _las_jupyter; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == ["start", "status"]
