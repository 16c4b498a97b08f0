"""A manifest of a server that can be started, as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

SERVER = """\
name: {name}
version: "{version}"
runtime: {{modes: [native], preferred: native}}
launch: {{native: {{argv: [serve, --port, "{{port}}"]}}}}
ports: [{{name: http, default: 9000}}]
dependencies: {{modules: [{needs}]}}
"""

Write = Callable[..., Path]


def server(name: str = "mine", version: str = "1.0", needs: str = "") -> str:
    """The text of a manifest that can be started."""
    return SERVER.format(name=name, version=version, needs=needs)
