"""
The plan of every bundled module, in each of its modes, on three machines: what a change of a manifest or of planning
does to them is to be seen in its diff.

``python tests/contract/golden.py`` writes them anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from las_jupyter.core.errors import LasError
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.manifests.catalog import Entry, bundled
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend, Engine, Machine, ModelFile, World

FOLDER = Path(__file__).parents[1] / "data" / "golden"
GIB = 2**30
MACHINES = {
    "laptop": Machine(8.0, 16 * GIB, 10 * GIB),
    "one GPU": Machine(16.0, 64 * GIB, 50 * GIB, ("0",), "nvidia"),
    "two GPUs": Machine(64.0, 256 * GIB, 200 * GIB, ("0", "1"), "nvidia"),
}


def plans(entry: Entry) -> dict[str, Any]:
    """The plans of one module, by mode and machine; what is the same on all machines is said once."""
    return {
        f"{mode} on {name}": _told(entry, mode, machine)
        for mode in Mode
        if entry.manifest.missing(mode) is None
        for name, machine in MACHINES.items()
    }


def as_text(entry: Entry) -> str:
    return json.dumps(plans(entry), indent=1, ensure_ascii=False) + "\n"


def _told(entry: Entry, mode: Mode, machine: Machine) -> dict[str, Any]:
    request = StartRequest(entry.manifest.name, mode=mode, gpus=("all",) if machine.gpu_ids else None)
    try:
        plan = decide(request, _world(entry, machine))
    except LasError as error:
        return {"refused": error.lines()}
    spec = plan.spec
    found = {
        "argv": list(spec.argv),
        "env": spec.env,
        "folder": spec.cwd,
        "ports": [f"{port.name}: {port.host} → {port.inner}" for port in spec.ports],
        "mounts": [f"{mount.source} → {mount.target}{' (rw)' if mount.writable else ''}" for mount in spec.mounts],
        "gpus": list(spec.gpus.ids),
        "image": spec.container and spec.container.image,
        "user": spec.container and spec.container.user,
        "decisions": [f"{each.subject}: {each.choice}, for {each.reason}" for each in plan.decisions],
        "warnings": list(plan.warnings),
    }
    return {key: value for key, value in found.items() if value}


def _world(entry: Entry, machine: Machine) -> World:
    manifest = entry.manifest
    model = None
    if manifest.model:
        file = "small.gguf" if manifest.model.kind == "gguf" else "small"
        model = ModelFile("small", f"/home/ada/models/{file}", "small")
    needs = lower.native(manifest).needs if manifest.missing(Mode.NATIVE) is None else []
    return World(
        entry=entry,
        machine=machine,
        backends=(Backend("native", Mode.NATIVE), Backend("docker", Mode.CONTAINER)),
        engine=Engine((f"/usr/bin/{needs[0]}",), "1.0", f"{needs[0]} on PATH") if needs else None,
        model=model,
        ports={row.default: None for row in manifest.ports},
        free_ports=(40001, 40002, 40003, 40004),
        state_dir="/home/ada/.local/state/las_jupyter",
    )


def golden_files() -> Iterator[tuple[Path, str]]:
    for entry in bundled():
        yield FOLDER / f"{entry.manifest.name}.json", as_text(entry)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in golden_files():
        path.write_text(text)
        print(f"wrote {path}", file=sys.stderr)
