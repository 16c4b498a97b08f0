"""A registry of one image on 127.0.0.1, read-only: slow, or cut off in the middle, as a test wants it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import select
import shutil
import socket
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_PIECE = 64 * 1024
_APPLETS = ("sh", "sleep", "echo", "cat", "id", "nc")


def _layer(files: dict[str, bytes], links: dict[str, str]) -> tuple[bytes, str]:
    """A layer as it travels, and the digest of what is in it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    data = raw.getvalue()
    return gzip.compress(data, 1, mtime=0), "sha256:" + hashlib.sha256(data).hexdigest()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """Serves ``las/busybox:1``: busybox, and ``layers`` - 1 layers of ``size`` bytes that cannot be compressed."""

    def __init__(self, layers: int = 3, size: int = 2**20) -> None:
        self.rate: float | None = None
        """Bytes a second of each layer, or as fast as it goes."""
        self.cut_after: int | None = None
        """Close the connection after so many bytes of a layer, and know that layer no more."""
        self.sending = 0
        self.blobs: dict[str, bytes] = {}
        self._cut: set[str] = set()
        busybox = Path(shutil.which("busybox") or "busybox").read_bytes()
        made = [
            _layer({"bin/busybox": busybox, "data/0": os.urandom(16)}, {f"bin/{name}": "busybox" for name in _APPLETS})
        ]
        made += [_layer({f"data/{number}": os.urandom(size)}, {}) for number in range(layers - 1)]
        config = {
            "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
            "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [inner for _, inner in made]},
        }  # fmt: skip
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._blob(_CONFIG, json.dumps(config).encode()),
                "layers": [self._blob(_LAYER, data) for data, _ in made],
            }
        ).encode()
        self.digest = _digest(self.manifest)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def image(self) -> str:
        """How the image is asked for."""
        return f"127.0.0.1:{self._server.server_port}/las/busybox:1"

    @property
    def exact(self) -> str:
        """The image by its digest."""
        return f"127.0.0.1:{self._server.server_port}/las/busybox@{self.digest}"

    def change(self) -> None:
        """Give the tag to another image, as whoever pushes does."""
        manifest = json.loads(self.manifest)
        config = json.loads(self.blobs[manifest["config"]["digest"]])
        config["config"]["Env"].append("PUSHED=again")
        manifest["config"] = self._blob(_CONFIG, json.dumps(config).encode())
        self.manifest = json.dumps(manifest).encode()
        self.digest = _digest(self.manifest)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _blob(self, kind: str, data: bytes) -> dict[str, Any]:
        self.blobs[_digest(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": _digest(data)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                kind, _, reference = self.path.removeprefix("/v2/").rpartition("/")
                if self.path == "/v2/":
                    self._answer(200, b"{}", "application/json")
                elif kind == "las/busybox/manifests" and reference in ("1", registry.digest):
                    self._answer(200, registry.manifest, MANIFEST, registry.digest)
                elif kind == "las/busybox/blobs" and reference in registry.blobs and reference not in registry._cut:
                    self._send(reference, registry.blobs[reference])
                else:
                    word = "MANIFEST_UNKNOWN" if "manifests" in kind else "BLOB_UNKNOWN"
                    told = {"errors": [{"code": word, "message": f"{word.lower().replace('_', ' ')}: {reference}"}]}
                    self._answer(404, json.dumps(told).encode(), "application/json")

            def _answer(self, code: int, body: bytes, kind: str, digest: str = "") -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if digest:
                    self.send_header("Docker-Content-Digest", digest)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def _send(self, digest: str, data: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "GET":
                    return
                registry.sending += 1
                try:
                    for at in range(0, len(data), _PIECE):
                        if registry.cut_after is not None and at >= registry.cut_after:
                            registry._cut.add(digest)
                            self.close_connection = True
                            return
                        self.wfile.write(data[at : at + _PIECE])
                        self._pause()
                except OSError:
                    self.close_connection = True  # whoever asked has gone
                finally:
                    registry.sending -= 1

            def _pause(self) -> None:
                """Be as slow as is wanted now, and notice whoever goes away meanwhile."""
                begun = time.monotonic()
                while registry.rate and time.monotonic() - begun < _PIECE / registry.rate:
                    readable = select.select([self.connection], [], [], min(0.05, _PIECE / registry.rate))[0]
                    if readable and not self.connection.recv(1, socket.MSG_PEEK):
                        raise ConnectionResetError

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler
