"""
Wrong on purpose, as people are: each gets one sentence, the cause and the next step, and leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import alive, eventually, supervisors_of

import las_jupyter as las
from las_jupyter.core import errors
from las_jupyter.core.errors import LasError
from las_jupyter.core.states import ProcessState

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.llamacpp, pytest.mark.usefixtures("clean_end")]


def instances() -> list[Path]:
    """Everything that is kept of any instance; a removed one may leave the empty lock of its name."""
    kept = Path(os.environ["LAS_JUPYTER_STATE_DIR"]).glob("instances/*/*")
    return [file for file in kept if file.stat().st_size or not file.name.endswith("lock")]


def refused(kind: type[LasError], module: str = "llama.cpp", **options: object) -> LasError:
    """The error of a start that must come to nothing, and to nothing at all."""
    with pytest.raises(kind) as caught:
        las.start(module, **options)
    error = caught.value
    assert type(error) is kind
    assert len(error.message.splitlines()) == 1
    assert error.cause or error.details
    assert error.remedy
    assert not any("Traceback" in line for line in error.lines())
    assert instances() == []
    assert supervisors_of(os.environ["LAS_JUPYTER_STATE_DIR"]) == {}
    return error


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_an_unknown_module_names_the_nearest():
    assert "llama.cpp" in (refused(errors.UnknownModule, "lama.cpp").remedy or "")


def test_an_unknown_model_names_the_nearest():
    assert "smollm2-135m" in (refused(errors.UnknownModel, model="smolm2-135m").remedy or "")


def test_a_missing_file_is_named(tmp_path):
    assert "not-here.gguf" in refused(errors.UnknownModel, model=tmp_path / "not-here.gguf").message


def test_a_truncated_model_is_found_out_before_anything_is_started(tmp_path, smollm2):
    half = tmp_path / "half.gguf"
    with Path(smollm2).open("rb") as whole:
        half.write_bytes(whole.read(20_000_000))

    assert "half.gguf" in refused(errors.InvalidModel, model=half).message


def test_a_file_that_is_no_model_is_found_out(tmp_path):
    page = tmp_path / "page.gguf"
    page.write_text("<html>404 not found</html>")

    assert "page.gguf" in refused(errors.InvalidModel, model=page).message


def test_a_taken_port_names_who_has_it(listener, smollm2):
    error = refused(errors.PortTaken, model=smollm2, port=listener)

    assert str(listener) in error.message
    assert str(os.getpid()) in " ".join(error.lines())


def test_an_engine_that_is_not_installed_says_how_to_install_it(tmp_path, smollm2):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)

    error = refused(errors.PlanRefused, model=smollm2, mode="native", engine_python=str(bare / "bin" / "python"))

    assert "xllamacpp" in " ".join(error.lines())


def test_a_name_that_would_leave_the_state_folder_is_refused(smollm2):
    refused(errors.BadRequest, model=smollm2, name="../../evil")


def test_an_engine_option_that_would_open_the_server_is_refused(smollm2):
    error = refused(errors.PlanRefused, model=smollm2, args=["--host", "0.0.0.0"])

    assert "127.0.0.1" in " ".join(error.lines())


def test_a_promise_of_more_memory_than_there_is_is_refused_with_the_numbers(smollm2):
    error = refused(errors.PlanRefused, model=smollm2, memory="900TB")

    assert "TiB" in " ".join(error.lines())


def test_a_manifest_nobody_trusts_does_not_run(tmp_path):
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("name: mine\nruntime: {modes: [native]}\nlaunch: {native: {argv: [sleep, '1000']}}\n")

    assert "%las trust" in (refused(errors.NotTrusted, str(manifest)).remedy or "")


SLOW_TO_END = """
import http.server, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("ending", flush=True), time.sleep(1.5), sys.exit(0)))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def mine(tmp_path) -> Path:
    """A manifest of the user's own, of a server that takes its time to end."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW_TO_END)
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(
        "name: mine\nruntime: {modes: [native]}\nports: [{name: http, default: 8765}]\n"
        f"launch: {{native: {{argv: [{sys.executable}, {script}, '{{port}}']}}}}\n"
        "health: {ready: {http: {path: /}}}\n"
    )
    return manifest


def test_a_manifest_that_was_trusted_runs_until_it_changes(mine):
    las.trust(mine)
    with las.start(mine) as server:
        assert server.state is ProcessState.RUNNING
    eventually(lambda: not supervisors_of(os.environ["LAS_JUPYTER_STATE_DIR"]), "its supervisor ended")
    las.remove("mine")
    mine.write_text(mine.read_text() + "description: changed\n")

    assert "changed" in (refused(errors.NotTrusted, str(mine)).cause or "")


def test_a_start_during_a_stop_gives_a_running_server(mine):
    las.trust(mine)
    server = las.start(mine)
    first = server.pid
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    eventually(lambda: server.state is ProcessState.STOPPING, "it is stopping")

    again = las.start(mine)
    stopping.join(timeout=20)

    assert again.state is ProcessState.RUNNING
    assert again.pid != first


def test_a_wrong_setting_is_named_with_its_source(monkeypatch):
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__DEFAULT_MODE", "nativ")

    with pytest.raises(errors.InvalidSettings) as caught:
        las.start("llama.cpp")
    monkeypatch.delenv("LAS_JUPYTER_RUNTIME__DEFAULT_MODE")

    assert "runtime.default_mode (environment)" in " ".join(caught.value.lines())
    assert instances() == []


def test_a_state_folder_that_others_may_write_to_is_not_used():
    folder = Path(os.environ["LAS_JUPYTER_STATE_DIR"])
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(LasError) as caught:
        las.start("llama.cpp")
    folder.chmod(0o700)

    assert "chmod 700" in (caught.value.remedy or "")
    assert instances() == []


def test_an_option_the_engine_does_not_know_ends_in_an_explained_failure(smollm2):
    with pytest.raises(errors.LaunchFailed) as caught:
        las.start("llama.cpp", model=smollm2, args=["--no-such-option"])

    error = caught.value
    failed = las.get("llama.cpp")
    assert "--no-such-option" in (error.cause or "")
    assert error.remedy
    assert failed.state is ProcessState.FAILED
    assert failed.exit is not None
    assert failed.exit.code not in (0, None)
    assert Path(failed.log_path).stat().st_size > 0
    eventually(lambda: not supervisors_of(os.environ["LAS_JUPYTER_STATE_DIR"]), "its supervisor ended")


def test_after_a_failure_the_same_name_starts(smollm2):
    with pytest.raises(errors.LaunchFailed):
        las.start("llama.cpp", model=smollm2, args=["--no-such-option"])

    assert las.start("llama.cpp", model=smollm2).state is ProcessState.RUNNING


def test_another_spec_under_a_running_name_names_the_difference(smollm2):
    first = las.start("llama.cpp", model=smollm2)

    with pytest.raises(errors.InstanceConflict) as caught:
        las.start("llama.cpp", model=smollm2, args=["--ctx-size", "512"])

    assert "argv" in (caught.value.cause or "") or "--ctx-size" in (caught.value.cause or "")
    assert caught.value.remedy
    assert las.get("llama.cpp").pid == first.pid


def test_two_starts_of_one_name_at_once_give_one_server(smollm2):
    code = (
        "import las_jupyter as las, json\n"
        f"llm = las.start('llama.cpp', model={smollm2!r})\n"
        "print(json.dumps([llm.pid, llm.port, str(llm.state)]))"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120) for process in racing]

    assert [process.returncode for process in racing] == [0, 0, 0], said
    assert len({out for out, _ in said}) == 1
    assert json.loads(said[0][0])[2] == "running"
    assert sum("Reusing llama.cpp" in err for _, err in said) == 2


def test_a_server_that_had_to_take_another_port_is_found_again(mine):
    las.trust(mine)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 8765))
        taken.listen()
        first = las.start(mine)
        assert first.port != 8765
        assert las.start(mine).pid == first.pid

    assert las.start(mine).pid == first.pid


def test_a_stop_during_a_start_ends_the_start(smollm2):
    llm = las.start("llama.cpp", model=smollm2, wait=False)
    pid = llm.pid

    llm.stop()

    assert llm.state is ProcessState.STOPPED
    assert pid is not None
    assert not alive(pid)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["start", "lama.cpp"], 2, "did you mean"),
        (["start", "llama.cpp", "--modle", "x"], 2, "did you mean --model?"),
        (["strat"], 2, "did you mean: las-jupyter start"),
        (["stop", "nobody"], 4, "las-jupyter start llama.cpp"),
        (["trust", "/no/such/manifest.yaml"], 1, "cannot be read"),
        (["start", "llama.cpp", "--", "--port", "1"], 3, "--port before the two dashes"),
    ],
)
@pytest.mark.parametrize("package", ["las_jupyter.cli", "las_jupyter"])
def test_a_terminal_is_told_the_same(package, words, code, says):
    done = subprocess.run([sys.executable, "-m", package, *words], check=False, capture_output=True, text=True)

    assert done.returncode == code
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert instances() == []
