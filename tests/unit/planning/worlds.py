"""Pictures of worlds to plan in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import Entry, bundled
from las_jupyter.manifests.load import parse_manifest
from las_jupyter.planning.world import Backend, Engine, Machine, ModelFile, World

GIB = 2**30
ENGINE = Engine(("/opt/llama-server",), "b1", "llama-server on PATH")
MODEL = ModelFile("smollm2-135m", "/models/small.gguf", "smollm2-135m")
NATIVE = Backend("native", Mode.NATIVE)
DOCKER = Backend("docker", Mode.CONTAINER)
NO_DOCKER = Backend("docker", Mode.CONTAINER, "the daemon does not answer", "systemctl start docker")


def an_entry(name: str = "llama.cpp", *, trusted: bool = True) -> Entry:
    entry = next(each for each in bundled() if each.manifest.name == name)
    return entry._replace(trusted=trusted, standing="it is bundled" if trusted else "it is neither bundled nor trusted")


def an_entry_of(text: str) -> Entry:
    data = text.encode()
    return Entry(parse_manifest(data, "own.yaml"), "file", Path("own.yaml"), True, "pinned", "")


def a_world(**changes: Any) -> World:
    usual: dict[str, Any] = {
        "entry": an_entry(),
        "machine": Machine(8.0, 32 * GIB, 20 * GIB),
        "backends": (NATIVE, NO_DOCKER),
        "engine": ENGINE,
        "model": MODEL,
        "ports": {8080: None},
        "free_ports": (40001, 40002, 40003, 40004),
        "state_dir": "/state",
    }
    return World(**{**usual, **changes})
