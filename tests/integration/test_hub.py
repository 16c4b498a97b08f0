"""Models of Hugging Face: a small hub on this machine speaks its protocol; huggingface_hub is the real one."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tiny_gguf import gguf_bytes

from las_jupyter.models.fetch import NeedsDownload, locate
from las_jupyter.models.reference import parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A hub with ``org/repo`` that holds ``tiny.gguf`` and ``config.json``; every request's range is in ``ranges``."""

    def __init__(self):
        self.files = {"tiny.gguf": gguf_bytes(), "config.json": b"{}"}
        self.ranges = []
        self.break_off = 0  # how many downloads end in the middle
        self.refuse = None
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                hub._answer(self, body=False)

            def do_GET(self):
                hub._answer(self, body=True)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request, *, body):
        path = request.path.partition("?")[0]
        if path == "/":
            return self._send(request, 200, b"", {}, body=body)
        if self.refuse:
            return self._send(request, *self.refuse, body=body)
        name = path.rpartition("/resolve/main/")[2].rpartition(f"/resolve/{COMMIT}/")[2]
        if "/resolve/" in path and path.startswith("/org/repo/"):
            if name in self.files:
                return self._send_file(request, self.files[name], body=body)
            return self._send(request, 404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)
        if path.startswith("/api/models/org/repo"):
            return self._send_listing(request, path, body=body)
        return self._send(request, 404, b"", {"X-Error-Code": "RepoNotFound"}, body=body)

    def _send_listing(self, request, path, *, body):
        entries = [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for name, content in self.files.items()
        ]
        info = {"id": "org/repo", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files],
                "private": False, "tags": []}  # fmt: skip
        answer = entries if "/tree/" in path else info
        self._send(request, 200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, body=body)

    def _send_file(self, request, content, *, body):
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        asked = request.headers.get("Range")
        status = 200
        if body:
            self.ranges.append(asked)
        if asked:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status, content = 206, content[start:]
        if body and self.break_off and len(content) > 100:
            self.break_off -= 1
            headers["Content-Length"] = str(len(content))
            content = content[: len(content) // 2]
        self._send(request, status, content, headers, body=body)

    def _send(self, request, status, content, headers, *, body):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if body:
            request.wfile.write(content)
        request.close_connection = True


@pytest.fixture
def hub():
    serving = Hub()
    yield serving
    serving.close()


@pytest.fixture
def fetch(tmp_path, hub):
    """Fetch in a process of its own: huggingface_hub reads its environment once, at import."""

    def run(model, **environ):
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1",
               "HF_HUB_DISABLE_TELEMETRY": "1", **environ}  # fmt: skip
        for variable in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE"):
            if variable not in environ:
                env.pop(variable, None)
        command = [sys.executable, "-m", "las_jupyter.models", "--cache-dir", str(tmp_path / "las"), "fetch", model]
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=120)

    return run


def test_a_file_is_fetched_into_the_cache_that_others_share(fetch, tmp_path):
    answer = fetch("hf:org/repo/tiny.gguf")

    assert answer.returncode == 0, answer.stderr
    path = Path(answer.stdout.strip())
    assert path == tmp_path / "las" / "hf" / "org" / "repo" / "main" / "tiny.gguf"
    assert path.resolve().is_relative_to(tmp_path / "hf" / "hub" / "models--org--repo")
    assert path.read_bytes() == gguf_bytes()


def test_a_plan_knows_the_path_before_anybody_was_asked(fetch, tmp_path):
    planned = locate(parse("hf:org/repo/tiny.gguf"), tmp_path / "las")

    assert isinstance(planned, NeedsDownload)
    assert fetch("hf:org/repo/tiny.gguf").stdout.strip() == planned.target


def test_all_parts_of_a_split_model_are_fetched_and_stand_side_by_side(fetch, hub):
    for number in (1, 2):
        hub.files[f"big-{number:05d}-of-00002.gguf"] = gguf_bytes()

    answer = fetch("hf:org/repo/big-00001-of-00002.gguf")

    folder = Path(answer.stdout.strip()).parent
    assert sorted(item.name for item in folder.iterdir()) == ["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"]


def test_a_second_fetch_asks_nobody(fetch, hub):
    fetch("hf:org/repo/tiny.gguf")
    hub.close()

    assert fetch("hf:org/repo/tiny.gguf").returncode == 0


def test_a_broken_connection_goes_on_where_it_stopped(fetch, hub):
    hub.files["tiny.gguf"] = gguf_bytes() + bytes(40_000_000)  # more than one of the pieces that are kept
    hub.break_off = 1

    answer = fetch("hf:org/repo/tiny.gguf")

    assert answer.returncode == 0, answer.stderr
    assert hub.ranges[-1] not in (None, "bytes=0-")
    assert Path(answer.stdout.strip()).read_bytes() == hub.files["tiny.gguf"]


def test_a_download_that_is_given_up_leaves_nothing_and_can_be_run_again(fetch, hub, tmp_path):
    hub.break_off = 99
    answer = fetch("hf:org/repo/tiny.gguf")
    hub.break_off = 0

    assert answer.returncode == 1
    assert f"The download of tiny.gguf from {hub.url} broke off." in answer.stderr
    assert list((tmp_path / "hf").rglob("*.incomplete")) == []
    assert fetch("hf:org/repo/tiny.gguf").returncode == 0


def test_a_whole_repository_is_a_folder(fetch):
    answer = fetch("hf:org/repo")

    assert answer.returncode == 0, answer.stderr
    assert sorted(item.name for item in Path(answer.stdout.strip()).iterdir()) == ["config.json", "tiny.gguf"]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("hf:org/repo/other.gguf", "UnknownModel: The repository org/repo has no file other.gguf"),
        ("hf:org/nothing/x.gguf", "UnknownModel: Hugging Face has no repository org/nothing, or it is private"),
        ("org/nothing", "because there is no file of that name here either"),
    ],
)
def test_what_the_hub_does_not_have_is_one_sentence(fetch, model, says):
    answer = fetch(model)

    assert answer.returncode == 1
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_gated_repository_says_what_to_accept_and_where(fetch, hub):
    hub.refuse = (403, b"", {"X-Error-Code": "GatedRepo"})

    answer = fetch("hf:org/repo/tiny.gguf")

    assert "The repository org/repo is gated" in answer.stderr
    assert f"accept it on {hub.url}/org/repo" in answer.stderr


def test_a_hub_that_cannot_be_reached_is_said_at_once_with_the_ways_out(fetch):
    answer = fetch("hf:org/repo/tiny.gguf", HF_ENDPOINT="http://127.0.0.1:9")

    assert answer.returncode == 1
    assert "DownloadFailed: Hugging Face cannot be reached at http://127.0.0.1:9" in answer.stderr
    assert "set HF_ENDPOINT to a mirror" in answer.stderr
    assert "Retrying" not in answer.stderr


def test_offline_is_said_and_nobody_is_asked(fetch, hub):
    answer = fetch("hf:org/repo/tiny.gguf", HF_HUB_OFFLINE="1")

    assert "tiny.gguf is not in the cache and HF_HUB_OFFLINE is set" in answer.stderr
    assert hub.ranges == []


def test_a_web_page_in_place_of_the_model_is_refused(fetch, hub):
    hub.files["tiny.gguf"] = b"<html>Sign in to the proxy</html>"

    answer = fetch("hf:org/repo/tiny.gguf")

    assert "is not a GGUF model" in answer.stderr


def test_a_cached_file_that_was_damaged_is_fetched_again(fetch):
    path = Path(fetch("hf:org/repo/tiny.gguf").stdout.strip())
    path.resolve().write_bytes(b"")

    answer = fetch("hf:org/repo/tiny.gguf")

    assert answer.returncode == 0, answer.stderr
    assert path.read_bytes() == gguf_bytes()
