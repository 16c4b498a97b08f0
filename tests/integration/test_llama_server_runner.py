"""The runner behaves as llama-server does: a real wheel, a real model, real signals."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from las_jupyter.engines.find import RUNNER
from las_jupyter.models.fetch import fetch
from las_jupyter.models.reference import parse

pytestmark = [pytest.mark.llamacpp, pytest.mark.native]

KEY = "a-key-nobody-may-see"
OPTIONS = ("--ctx-size", "512", "--parallel", "1")


@pytest.fixture(scope="session")
def model() -> Path:
    if find_spec("xllamacpp") is None:
        pytest.skip("llamacpp: xllamacpp is not installed")
    return fetch(parse("smollm2-135m"))


@pytest.fixture
def runner(tmp_path):
    """Start the runner with these words; it is gone at the end, whatever happens."""
    started = []

    def start(*argv, env=None):
        log = (tmp_path / f"log{len(started)}").open("w+")
        server = Running(subprocess.Popen([sys.executable, str(RUNNER), *map(str, argv)], stdout=log, stderr=log,
                                          env={**os.environ, **(env or {})}), Path(log.name))  # fmt: skip
        started.append(server)
        log.close()
        return server

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


class Running:
    def __init__(self, process, log):
        self.process, self._log = process, log
        self.port = int(process.args[process.args.index("--port") + 1]) if "--port" in process.args else 0

    @property
    def log(self):
        return self._log.read_text()

    def get(self, path, key=None, body=None):
        """Status and body; 0 when nobody listens."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body and json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def until(self, status, seconds=60.0):
        """Every different answer of /health on the way to ``status``."""
        seen = []
        deadline = time.monotonic() + seconds
        while not seen or seen[-1] != status:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            answer = self.get("/health")[0]
            if not seen or seen[-1] != answer:
                seen.append(answer)
        return seen

    def until_it_handles_signals(self):
        """Wait from its first 200 to the moment, right after, from which it ends itself with status 0."""
        deadline = time.monotonic() + 30
        while not self._handles(signal.SIGTERM):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def _handles(self, number):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught, 16) & 1 << (number - 1))

    def cpu_ticks(self):
        return sum(map(int, Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_says_loading_while_it_loads_and_then_answers_a_question(runner, model):
    server = runner("-m", model, "--port", free_port(), "--alias", "smol", *OPTIONS, env={"LLAMA_API_KEY": KEY})

    seen = server.until(200)

    question = {"messages": [{"role": "user", "content": "What colour is the sky on a clear day?"}], "max_tokens": 60,
                "temperature": 0}  # fmt: skip
    status, answer = server.get("/v1/chat/completions", KEY, question)
    assert 503 in seen
    assert (status, "blue" in answer, json.loads(answer)["model"]) == (200, True, "smol")


def test_only_the_key_opens_it_and_the_log_never_shows_it(runner, model, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    server = runner("-m", model, "--port", free_port(), "--api-key-file", keys, "--metrics", *OPTIONS)
    server.until(200)

    assert server.get("/metrics")[0] == 401
    assert server.get("/metrics", "guessed")[0] == 401
    status, metrics = server.get("/metrics", KEY)
    assert (status, "llamacpp:requests_processing" in metrics) == (200, True)
    assert KEY not in server.log


def test_metrics_are_off_unless_asked_for(runner, model):
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(200)

    assert server.get("/metrics")[0] == 501


def test_it_listens_on_loopback_only(runner, model):
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(200)

    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{server.port:04X}")
    ]
    assert listening == [f"0100007F:{server.port:04X}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_with_status_0_at_once(runner, model, number):
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(200)
    server.until_it_handles_signals()

    server.process.send_signal(number)

    assert server.process.wait(timeout=5) == 0


def test_asked_to_stop_in_the_middle_of_an_answer_it_ends_with_status_0_at_once(runner, model):
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(200)
    body = json.dumps({"prompt": "Once upon a time", "n_predict": -1, "ignore_eos": True, "stream": True}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/completion", data=body, timeout=30) as answer:
        answer.readline()
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(timeout=5) == 0


def test_asked_to_stop_while_it_reads_a_long_prompt_it_ends_with_status_0_at_once(runner, model):
    server = runner("-m", model, "--port", free_port(), "--ctx-size", "8192", "--parallel", "1")
    server.until(200)
    body = {"prompt": "hello world " * 3000, "n_predict": 1}
    threading.Thread(target=server.get, args=("/completion", None, body), daemon=True).start()
    deadline = time.monotonic() + 30
    while "processing task" not in server.log:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(timeout=5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_while_loading_it_is_gone_at_once_by_the_signal_as_llama_server_is(runner, model, number):
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(503)

    server.process.send_signal(number)

    ended = server.process.wait(timeout=5)
    # Ready after all: the signal came too late to meet it loading.
    assert (ended, "model loaded" in server.log) in ((-number, False), (0, True))


@pytest.mark.slow
def test_connections_that_finish_no_request_keep_nobody_out_for_longer_than_half_a_minute(runner, model):
    """More of them than it has threads, from somebody without a key; the engine itself would wait for an hour."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(200)
    half_open = []
    try:
        for _ in range(1500):
            half_open.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            half_open[-1].sendall(b"GET /health HTTP/1.1\r\nHost: x")
        held = time.monotonic()

        server.until(200, seconds=60)

        assert time.monotonic() - held < 60
    finally:
        for each in half_open:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_answer_that_takes_longer_than_a_silence_may_last_is_not_cut(runner, model):
    server = runner("-m", model, "--port", free_port(), *OPTIONS, "--timeout", "1")
    server.until(200)
    question = {"prompt": "Count", "n_predict": 500, "ignore_eos": True, "stream": True}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/completion", data=json.dumps(question).encode())
    begun = time.monotonic()

    with urllib.request.urlopen(request, timeout=60) as answer:
        came = []
        for line in answer:
            came.append(line)
            if time.monotonic() - begun > 2.5 or b'"stop":true' in line:
                break

    assert time.monotonic() - begun > 1
    assert b'"content"' in came[-1] or came[-1] == b"\n"


def test_idle_it_uses_no_cpu(runner, model):
    server = runner("-m", model, "--port", free_port(), *OPTIONS)
    server.until(200)
    server.get("/completion", body={"prompt": "Hello", "n_predict": 4})
    deadline = time.monotonic() + 30
    quiet = 0
    while quiet < 10:  # one second without a single tick of 10 ms
        assert time.monotonic() < deadline
        before = server.cpu_ticks()
        time.sleep(0.1)
        quiet = quiet + 1 if server.cpu_ticks() == before else 0


def test_a_port_that_is_taken_is_named_in_llama_servers_words(runner, model):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = runner("-m", model, "--port", port, *OPTIONS)

        assert server.process.wait(timeout=30) == 1
    assert f"couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {port}" in server.log
    assert "exiting due to HTTP server error" in server.log


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "failed to open GGUF file"),
        (b"<html><body>404", "invalid magic characters: '<htm', expected 'GGUF'"),
        (30_000_000, "data is not within the file bounds, model is corrupted or incomplete"),
    ],
    ids=["missing", "web page", "truncated"],
)
def test_a_model_that_cannot_be_loaded_ends_it_with_status_1_in_llama_servers_words(
    runner, model, tmp_path, content, says
):
    path = tmp_path / "bad.gguf"
    if isinstance(content, int):
        with model.open("rb") as whole:
            path.write_bytes(whole.read(content))
    elif content is not None:
        path.write_bytes(content)

    server = runner("-m", path, "--port", free_port(), *OPTIONS)

    assert server.process.wait(timeout=30) == 1
    assert says in server.log
    assert "exiting due to model loading error" in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--modle", "x"], "error: invalid argument: --modle"),
        (["--port", "80"], "error: --model is required"),
        (["--model", "x", "--port", "http"], 'error while handling argument "--port"'),
        (["--model", "x", "--api-key-file", "/no/such/file"], "failed to open file '/no/such/file'"),
    ],
)
def test_a_command_line_it_cannot_use_ends_it_with_status_1_and_a_sentence(argv, says):
    answer = subprocess.run(
        [sys.executable, str(RUNNER), *argv], check=False, capture_output=True, text=True, timeout=30
    )

    assert answer.returncode == 1
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_it_tells_its_version_by_path_and_by_module():
    by_path = subprocess.run(
        [sys.executable, str(RUNNER), "--version"], check=False, capture_output=True, text=True, timeout=30
    )
    by_module = subprocess.run(
        [sys.executable, "-m", "las_jupyter.engines.llama_server", "--version"],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip

    assert by_path.stdout.startswith("version: ")
    assert by_module.stdout == by_path.stdout
