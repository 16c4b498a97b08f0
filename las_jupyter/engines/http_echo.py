"""
A tiny web server for tests and for learning: it answers what it was asked.

``--load-seconds`` makes ``/health`` answer 503 that long; ``--exit-after`` ends it by itself,
with ``--exit-code``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its own method, path and body as JSON."""

    ready_at = 0.0

    def do_GET(self) -> None:
        """``/health`` says whether it is ready; everything else is echoed."""
        if self.path == "/health":
            ready = time.monotonic() >= self.ready_at
            self._answer(200 if ready else 503, {"status": "ok" if ready else "loading"})
        else:
            self._answer(200, {"method": self.command, "path": self.path, "body": self._body()})

    do_POST = do_PUT = do_GET  # noqa: N815

    def _body(self) -> str:
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20)).decode(errors="replace")

    def _answer(self, code: int, content: dict[str, str]) -> None:
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """One line a request, health questions left out."""
        if self.path != "/health":
            print(format % args, flush=True)


def main() -> None:
    """Serve until TERM."""
    parser = argparse.ArgumentParser(prog="http-echo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--load-seconds", type=float, default=0.0)
    parser.add_argument("--exit-after", type=float)
    parser.add_argument("--exit-code", type=int, default=0)
    options = parser.parse_args()
    Echo.ready_at = time.monotonic() + options.load_seconds
    try:
        server = ThreadingHTTPServer((options.host, options.port), Echo)
    except OSError as error:
        sys.exit(f"http-echo: error: cannot listen on {options.host}:{options.port}: {error.strerror}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.exit_after is not None:
        threading.Timer(options.exit_after, os._exit, (options.exit_code,)).start()
    print(f"listening on http://{options.host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
