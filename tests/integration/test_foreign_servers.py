"""A server of another user of this machine is asked nothing, told nothing and advised to nobody."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from native_house import eventually

import las_jupyter as las
from las_jupyter.core.errors import BadRequest, PortTaken
from las_jupyter.engines import http_echo
from las_jupyter.limits.sockets import answering
from las_jupyter.stack import strangers

pytest_plugins = ("servers",)
pytestmark = [
    pytest.mark.native,
    pytest.mark.usefixtures("clean_end"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program of somebody else"),
]

SOMEBODY = 54321  # no account of this machine
OLLAMA = """
import encodings.idna, http.server, json, os, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))  # from here on somebody else, who may not read our Python
class Ollama(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers.get("Authorization"), flush=True)
        pages = {"/": "Ollama is running", "/api/version": '{"version":"0.9"}',
                 "/v1/models": json.dumps({"data": [{"id": "qwen3:8b"}]})}
        body = pages.get(self.path, "").encode()
        self.send_response(200 if body else 404); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
server = Server(("127.0.0.1", int(sys.argv[1])), Ollama)
server.serve_forever()
"""


class Theirs:
    """An Ollama, or what says so, of another user."""

    def __init__(self, notes: Path, port: int, user: int = SOMEBODY) -> None:
        self.port, self._notes = port, notes
        with notes.open("ab") as heard:
            self.process = subprocess.Popen([sys.executable, "-I", "-c", OLLAMA, str(port), str(user)], stdout=heard)
        eventually(lambda: (found := answering(port)) and found.uid == user, "it listens")

    @property
    def heard(self) -> str:
        """What it was asked, and with which key."""
        return self._notes.read_text()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Theirs]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Theirs(tmp_path / "heard", port)
    yield server
    server.close()


def test_it_is_not_attached_to_and_hears_neither_a_question_nor_a_key(theirs, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-my-real-key")

    with pytest.raises(BadRequest) as caught:
        las.attach("ollama", port=theirs.port, api_key_env="MY_KEY")

    assert "another user's" in caught.value.message
    assert str(SOMEBODY) in (caught.value.cause or "")
    assert "foreign" not in (caught.value.remedy or ""), "it is possible, and not advised"
    assert theirs.heard == ""


def test_who_insists_may(theirs, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-my-real-key")
    ollama = las.attach("ollama", port=theirs.port, api_key_env="MY_KEY", foreign=True)

    assert ollama.model == "qwen3:8b"
    assert ollama.openai().models.list().data[0].id == "qwen3:8b"
    assert "Bearer sk-my-real-key" in theirs.heard


def test_a_terminal_may_insist_too(theirs):
    command = [sys.executable, "-m", "las_jupyter.cli", "attach", "ollama", "--port", str(theirs.port)]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    done = subprocess.run([*command, "--foreign"], check=False, capture_output=True, text=True)

    assert refused.returncode != 0
    assert "another user's" in refused.stderr
    assert done.stdout.startswith("<attached: ollama, healthy"), done.stderr


def test_it_is_not_advised_when_its_port_was_wanted_nor_when_it_is_the_usual_one(theirs, tmp_path):
    source = Path(las.__file__).parent / "manifests" / "bundled" / "http-echo" / "manifest.yaml"
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(
        source.read_text()
        .replace("default: 8089", f"default: {theirs.port}")
        .replace('pattern: \'"path": "/who-are-you"\'', "pattern: .")
    )
    las.trust(manifest)

    plan = las.plan(manifest)
    with pytest.raises(PortTaken) as caught:
        las.plan(manifest, port=theirs.port)

    assert not [text for text in plan.warnings if "attach" in text]
    assert "attach" not in (caught.value.remedy or "")
    assert str(SOMEBODY) in (caught.value.cause or ""), "whose it is, is said"
    assert theirs.heard == ""


def test_a_client_of_our_own_server_tells_nothing_to_who_took_its_port(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-my-real-key")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mine = Theirs(tmp_path / "mine", port, os.getuid())
    ollama = las.attach("ollama", port=port, api_key_env="MY_KEY")
    client = ollama.openai().with_options(max_retries=0)
    mine.close()
    foreign = Theirs(tmp_path / "heard", port)
    try:
        with pytest.raises((PortTaken, openai.APIConnectionError)):
            client.models.list()
        assert ollama.model is None
        assert ollama.health == "unknown"
    finally:
        foreign.close()

    assert foreign.heard == ""


def test_http_echo_is_still_found_when_it_is_mine():
    command = [sys.executable, "-u", str(Path(http_echo.__file__)), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline().rpartition(":")[2])
        assert las.attach("http-echo", port=port).pid == server.pid
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    ("uid", "service", "told"),
    [
        (os.getuid(), None, True),
        (0, None, True),
        (SOMEBODY, None, False),
        (SOMEBODY, "ollama.service", False),
        (998, "ollama.service", True),
        (998, None, False),
        (65534, "x.service", False),
    ],
)
def test_only_mine_roots_and_the_systems_own_services_are_trusted(monkeypatch, uid, service, told):
    monkeypatch.setattr(strangers, "service_of", lambda _: service)

    assert strangers.is_trusted(uid) is told


@pytest.mark.parametrize(
    ("cgroup", "service"),
    [
        ("0::/system.slice/ollama.service\n", "ollama.service"),
        ("1:name=systemd:/system.slice/ollama.service\n0::/\n", "ollama.service"),
        ("0::/system.slice/system-vllm.slice/vllm@8000.service\n", "vllm@8000.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/ollama.service\n", None),
        ("0::/user.slice/x:/system.slice/y.service\n", None),
        ("0::/docker/abc\n", None),
    ],
)
def test_a_service_of_the_system_is_told_from_a_persons_own(tmp_path, monkeypatch, cgroup, service):
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "cgroup").write_text(cgroup)
    (tmp_path / "self").mkdir()

    assert strangers.service_of(os.getuid(), str(tmp_path)) == service
    assert strangers.service_of(SOMEBODY, str(tmp_path)) is None


def test_the_stand_in_is_nobodys_account():
    with pytest.raises(KeyError):
        pwd.getpwuid(SOMEBODY)
