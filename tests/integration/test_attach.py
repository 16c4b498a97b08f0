"""A server that somebody else started is found, offered, used and left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import alive, eventually

import las_jupyter as las
from las_jupyter.core.errors import BadRequest, NoSuchInstance, PortTaken
from las_jupyter.core.states import HealthState
from las_jupyter.engines import http_echo

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]

OLLAMA = """
import http.server, json, sys
class Ollama(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        pages = {"/": "Ollama is running", "/api/version": '{"version":"0.9"}',
                 "/v1/models": json.dumps({"data": [{"id": "qwen3:8b", "key": self.headers.get("Authorization")}]})}
        body = pages.get(self.path, "").encode()
        self.send_response(200 if body else 404); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ollama)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def somebodys(request) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A stand-in for an Ollama that runs already, and its port."""
    server = subprocess.Popen([sys.executable, "-c", OLLAMA], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield server, int(server.stdout.readline())
    server.kill()
    server.wait()


@pytest.fixture
def echo() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The real http-echo, started by hand, on a port of its own choice."""
    command = [sys.executable, "-u", str(Path(http_echo.__file__)), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield server, int(server.stdout.readline().rpartition(":")[2])
    server.kill()
    server.wait()


def test_it_can_be_used(somebodys):
    server, port = somebodys
    ollama = las.attach("ollama", port=port)

    assert (ollama.url, ollama.base_url) == (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/v1")
    assert (ollama.health, ollama.reason) == (HealthState.HEALTHY, "/api/version answers 200")
    assert (ollama.pid, ollama.model) == (server.pid, "qwen3:8b")
    assert ollama.openai().models.list().data[0].id == "qwen3:8b"
    assert f"(pid {server.pid})" in repr(ollama)
    assert f"(pid {server.pid})" in ollama._repr_html_()


def test_its_key_comes_from_the_environment_and_is_never_shown(somebodys, monkeypatch):
    monkeypatch.setenv("THEIR_KEY", "top-secret")
    ollama = las.attach("ollama", port=somebodys[1], api_key_env="THEIR_KEY")

    said = ollama.openai().models.list().data[0]
    assert said.key == "Bearer top-secret"  # type: ignore[attr-defined]
    assert "top-secret" not in repr(ollama) + repr(ollama.access()) + ollama._repr_html_() + repr(ollama.snapshot)
    with pytest.raises(BadRequest, match="no key in NOT_SET"):
        las.attach("ollama", port=somebodys[1], api_key_env="NOT_SET")


def test_it_is_never_ended_from_here(somebodys):
    server, port = somebodys
    with las.attach("ollama", port=port) as ollama:
        with pytest.raises(BadRequest) as caught:
            ollama.stop()
        with pytest.raises(BadRequest, match="no log of ollama"):
            ollama.logs()

    assert f"(pid {server.pid})" in (caught.value.cause or "")
    assert f"kill {server.pid}" in (caught.value.remedy or "")
    las.stop(all=True)
    assert alive(server.pid)
    assert len(las.status().records) == 0


def test_once_it_ended_that_is_said(somebodys):
    server, port = somebodys
    ollama = las.attach("ollama", port=port)
    server.kill()
    server.wait()

    assert (ollama.health, ollama.reason) == (HealthState.UNHEALTHY, f"nobody listens on port {port} any more")
    assert ollama.model is None
    with pytest.raises(NoSuchInstance) as caught:
        las.attach("ollama", port=port)
    assert caught.value.remedy == "%las start ollama"


def test_something_else_is_not_taken_for_it(somebodys, echo):
    with pytest.raises(BadRequest) as caught:
        las.attach("ollama", port=echo[1])

    assert "does not answer as ollama" in caught.value.message
    assert f"(pid {echo[0].pid})" in (caught.value.cause or "")


def test_a_module_that_cannot_be_recognised_says_so():
    with pytest.raises(BadRequest, match="redis cannot be attached to"):
        las.attach("redis")


def test_an_instance_of_ours_is_no_stranger():
    server = las.start("http-echo", port=0, name="mine")

    with pytest.raises(BadRequest) as caught:
        las.attach("http-echo", port=server.port)
    assert caught.value.remedy == "%las status mine"


@pytest.fixture
def usual(tmp_path, echo) -> Path:
    """A module whose own port is where somebody's server of that module listens."""
    source = Path(las.__file__).parent / "manifests" / "bundled" / "http-echo" / "manifest.yaml"
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(source.read_text().replace("default: 8089", f"default: {echo[1]}"))
    las.trust(manifest)
    return manifest


def test_a_plan_offers_to_use_the_one_that_runs(usual, echo):
    plan = las.plan(usual)

    (offer,) = [text for text in plan.warnings if "already listens" in text]
    assert offer == (
        f"http-echo already listens on 127.0.0.1:{echo[1]} ({_name(echo[0].pid)} (pid {echo[0].pid})), "
        f"not started by las: %las attach {usual} uses it; this start is another one, "
        f"on port {plan.spec.ports[0].host}"
    )
    with pytest.raises(PortTaken) as caught:
        las.plan(usual, port=echo[1])
    assert f"%las attach {usual} --port {echo[1]} uses it" in (caught.value.remedy or "")


def test_a_start_says_it_once_and_leaves_the_other_alone(usual, echo, capsys):
    server = las.start(usual)

    assert server.port != echo[1]
    assert capsys.readouterr().err.count("already listens") == 1
    las.start(usual)
    assert "already listens" not in capsys.readouterr().err
    server.stop()
    assert alive(echo[0].pid)


def test_our_own_instance_on_the_usual_port_is_no_offer(tmp_path):
    source = Path(las.__file__).parent / "manifests" / "bundled" / "http-echo" / "manifest.yaml"
    first = las.start("http-echo", port=0, name="first")
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(source.read_text().replace("default: 8089", f"default: {first.port}"))
    las.trust(manifest)

    plan = las.plan(manifest, name="second")

    assert plan.warnings == ()
    assert "the instance first has it" in str(plan.decisions)


def test_a_terminal_attaches_too(somebodys):
    command = [sys.executable, "-m", "las_jupyter.cli", "attach", "ollama", "--port", str(somebodys[1])]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("<attached: ollama, healthy, http://127.0.0.1:")


@pytest.mark.llamacpp
def test_a_real_llama_server_is_recognised(smollm2):
    started = las.start("llama.cpp", model=smollm2, port=0)
    assert started.port is not None
    # For somebody with another state folder it is a stranger's.
    command = [sys.executable, "-m", "las_jupyter.cli", "attach", "llama.cpp", "--port", str(started.port)]
    env = {**os.environ, "LAS_JUPYTER_STATE_DIR": os.environ["LAS_JUPYTER_STATE_DIR"] + "-other"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)

    assert done.stdout.startswith("<attached: llama.cpp, healthy,"), done.stderr


def _name(pid: int) -> str:
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    eventually(lambda: bool(name), "it has a name")
    return name
