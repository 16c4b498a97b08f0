"""Container engines for tests: asked whether they are here, and given images that come from no registry."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from required import missing

from las_jupyter.backends.table import load_backend

BASE = "localhost/las-base:1"
IMAGES = Path(__file__).parent / "images"


def ready_engine(name: str) -> None:
    """Skip or fail unless the engine answers; then see to the base image."""
    why = load_backend(name).why_unavailable()
    if why is not None:
        missing(name, why.reason)
    _base_image(name)


@cache
def _base_image(engine: str) -> None:
    subprocess.run([IMAGES / "base-image", engine], check=True, capture_output=True, timeout=120)


def ask(engine: str, *words: str) -> str:
    """What the engine's own client answers."""
    done = subprocess.run([engine, *words], check=True, capture_output=True, text=True, timeout=120, cwd="/")
    return done.stdout.strip()
