"""
Forty ways to get it wrong at a terminal: each is answered by one sentence, its cause, and what to type instead.

Nothing is started; the rooms behind the command are the real ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from las_jupyter.cli.main import main

WRONG = [
    (["strat"], "did you mean: las-jupyter start"),
    (["log", "x"], "did you mean: las-jupyter logs"),
    (["help", "strt"], "did you mean: las-jupyter start"),
    (["start"], "las-jupyter start llama.cpp --model smollm2-135m"),
    (["start", "lama.cpp"], "did you mean llama.cpp?"),
    (["start", "llama"], "did you mean llama.cpp?"),
    (["start", "LLAMA.CPP"], "did you mean llama.cpp?"),
    (["start", "vlm"], "did you mean vllm?"),
    (["start", "./missing.yaml"], "las-jupyter modules"),
    (["start", "qdrant@9"], "las-jupyter start qdrant"),
    (["start", "llama.cpp", "--model", "nothere.gguf"], "smollm2-135m"),
    (["start", "llama.cpp", "--model", "smolm2"], "did you mean --model smollm2-135m?"),
    (["start", "llama.cpp", "--model", ""], "leave model out"),
    (["start", "llama.cpp", "--modle", "x"], "did you mean --model?"),
    (["start", "llama.cpp", "--model"], "--model smollm2-135m"),
    (["start", "llama.cpp", "--port", "abc"], "--port 8080"),
    (["start", "llama.cpp", "--port", "99999"], "--port 0"),
    (["start", "llama.cpp", "--port", "-1"], "--port 0"),
    (["start", "llama.cpp", "--memory", "1q"], "--memory 8GB"),
    (["start", "llama.cpp", "--memory", "0"], "--memory 8GB"),
    (["start", "llama.cpp", "--memory"], "--memory 8GB"),
    (["start", "llama.cpp", "--cpus", "many"], "--cpus 1.5"),
    (["start", "llama.cpp", "--cpus", "0"], "--cpus 1.5"),
    (["start", "llama.cpp", "--mode", "docker"], "did you mean --mode container?"),
    (["start", "llama.cpp", "--mode", "Native"], "did you mean --mode native?"),
    (["start", "llama.cpp", "--name", "My Chat"], "--name my-chat"),
    (["start", "llama.cpp", "--name", ""], "leave name out"),
    (["start", "llama.cpp", "--env", "FOO"], "--env FOO=VALUE where it is no secret"),
    (["start", "http-echo", "--mount", "foo"], "--mount ./data:/data:rw"),
    (["start", "llama.cpp", "--restart", "sometimes"], "--restart no"),
    (["start", "llama.cpp", "--timeout", "soon"], "--timeout 30s"),
    (["start", "llama.cpp", "extra"], "--model extra"),
    (["start", "llama.cpp", "--", "--port", "1"], "--port before the two dashes"),
    (["start", "http-echo", "--expose"], "leave --expose out"),
    (["start", "http-echo", "--model", "x"], "las-jupyter start http-echo"),
    (["start", "vllm"], "las-jupyter start vllm --model"),
    (["start", "llama.cpp", "--engine-python", "/no/python"], "correct the path"),
    (["start", "llama.cpp", "--gpus", "77"], "las-jupyter doctor"),
    (["start", "llama.cpp", "--overcommit=yes"], "write: --overcommit"),
    (["plan", "http-echo", "--memory", "900TB"], "--overcommit"),
    (["stop"], "las-jupyter start llama.cpp"),
    (["stop", "nosuch"], "las-jupyter start llama.cpp"),
    (["stop", "x", "--all"], "las-jupyter stop --all"),
    (["stop", "--al"], "did you mean --all?"),
    (["restart", "nosuch"], "las-jupyter start llama.cpp"),
    (["logs", "nosuch"], "las-jupyter start llama.cpp"),
    (["rm"], "las-jupyter rm chat"),
    (["rm", "nosuch", "--data"], "las-jupyter start llama.cpp"),
    (["trust", "nosuch.yaml"], "check the path"),
    (["attach", "redis"], "talk to it"),
    (["attach", "http-echo", "--api-key-env", "NO_SUCH_VARIABLE"], "export NO_SUCH_VARIABLE"),
    (["config", "runtme"], "las-jupyter config runtime"),
    (["status", "--jsn"], "did you mean --json?"),
    (["status", "--", "x"], "las-jupyter help status"),
    (["doctor", "extra"], "las-jupyter help doctor"),
]


def answer(capsys, words: list[str]) -> list[str]:
    code = main(words)
    told = capsys.readouterr()
    assert code != 0
    assert told.out == ""
    return [line for line in told.err.splitlines() if not line.startswith("Warning")]


@pytest.mark.parametrize(("words", "cure"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_slip_is_answered_by_a_sentence_a_cause_and_a_cure(capsys, monkeypatch, tmp_path, words, cure):
    monkeypatch.chdir(tmp_path)

    lines = answer(capsys, words)

    kind, _, sentence = lines[0].partition(": ")
    assert kind[0].isupper()
    assert sentence.endswith((".", "?"))
    assert any(line.startswith("  because ") for line in lines), "it has a cause"
    assert lines[-1].startswith("→ ")
    assert cure in lines[-1]
    assert "%las" not in " ".join(lines)
    assert all(len(line) < 400 for line in lines)
    state = Path(os.environ["LAS_JUPYTER_STATE_DIR"])
    assert not [file for file in state.glob("instances/*/*") if file.stat().st_size]


FILES = [
    ("las.toml", "[runtime\n", ["status"], "mend"),
    ("las.toml", "x = 1\n", ["status"], "mend"),
    ("las.toml", "[runtime]\ndefault_mode = 'nativ'\n", ["status"], "mend"),
    ("m.yaml", "name: [", ["start", "./m.yaml"], "mend m.yaml"),
    ("m.yaml", "nam: x\n", ["start", "./m.yaml"], "mend m.yaml, line 1"),
    (
        "m.yaml",
        "name: mine\nruntime: {modes: [native]}\nlaunch: {native: {argv: [sleep, '9']}}\n",
        ["start", "./m.yaml"],
        "/m.yaml",
    ),
]


@pytest.mark.parametrize(("name", "text", "words", "cure"), FILES)
def test_a_file_that_is_wrong_is_named_with_its_cure(capsys, monkeypatch, tmp_path, name, text, words, cure):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)

    lines = answer(capsys, words)

    assert name in " ".join(lines)
    assert any(line.startswith("  because ") for line in lines)
    assert cure in lines[-1]


POLICIES = [
    (
        "policies: [{name: strict, deny: [http-echo]}]",
        "policy strict denies http-echo",
        "las-jupyter config policy_file",
    ),
    ("policies: [{name: strict, allow: {modes: [container]}}]", "allows these modes only: container", ""),
    ("policies: [{nme: strict}]", "did you mean name?", "line 1"),
    ("policies: [", "", "mend"),
]


@pytest.mark.parametrize(("text", "cause", "cure"), POLICIES)
def test_a_policy_that_says_no_is_named(capsys, monkeypatch, tmp_path, text, cause, cure):
    (tmp_path / "policy.yaml").write_text(text)
    monkeypatch.setenv("LAS_JUPYTER_POLICY_FILE", str(tmp_path / "policy.yaml"))

    lines = answer(capsys, ["start", "http-echo", "--mode", "native"])

    assert cause in " ".join(lines)
    assert any(line.startswith("  because ") for line in lines)
    assert cure in lines[-1]


VARIABLES = [
    ("RUNTIME__DEFAULT_MODE", "nativ", "unset LAS_JUPYTER_RUNTIME__DEFAULT_MODE"),
    ("LIMITS__MEMORY", "lots", "unset LAS_JUPYTER_LIMITS__MEMORY"),
    ("RUNTME__X", "1", "unset LAS_JUPYTER_RUNTME__X"),
    ("POLICY_FILE", "/nowhere.yaml", "policy_file"),
    ("STATE_DIR", "/proc/nope", "LAS_JUPYTER_STATE_DIR"),
    ("STATE_DIR", "/etc/passwd", "LAS_JUPYTER_STATE_DIR"),
]


@pytest.mark.parametrize(("name", "value", "cure"), VARIABLES)
def test_a_variable_that_is_wrong_is_named_with_its_cure(capsys, monkeypatch, name, value, cure):
    monkeypatch.setenv(f"LAS_JUPYTER_{name}", value)

    lines = answer(capsys, ["plan", "http-echo"])

    assert any(line.startswith("  because ") for line in lines)
    assert cure in lines[-1]


def test_what_nobody_foresaw_is_one_sentence_too(capsys, monkeypatch):
    from las_jupyter.stack import verbs

    class Broken:
        def status(self) -> None:
            raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(verbs, "default_stack", Broken)

    lines = answer(capsys, ["status"])

    assert lines[1] == "  because ZeroDivisionError: by nothing"
    assert "--traceback" in lines[-1]
    main(["status", "--traceback"])
    assert "Traceback" in capsys.readouterr().err
