"""
Start and stop of a container, and how fast its log arrives in a file: by us and by the engine's own client, in turn.

Medians in ms and in lines a second; more is worse in the first two, better in the last.

``python benchmarks/containers.py [RUNS]`` from the repository; wants Docker and Podman.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import Running, StartFiles
from las_jupyter.core.launch import ContainerSpec, LaunchSpec
from las_jupyter.core.states import Mode

BASE = "localhost/las-base:1"
LINES = 100_000
HAND = [
    *("--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "4096"),
    *("--user", "65534:65534", "--tmpfs", "/tmp"),  # noqa: S108 - a path inside
]


def main() -> None:
    """Print one row an engine."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    images = Path(__file__).resolve().parents[1] / "tests" / "images" / "base-image"
    for engine in ("docker", "podman"):
        subprocess.run([images, engine], check=True, capture_output=True)
        rows = [(*ours(engine, "exec sleep 300"), *by_hand(engine)) for _ in range(runs)]
        start, stop, hand_start, hand_stop = (statistics.median(column) * 1000 for column in zip(*rows, strict=True))
        print(
            f"{engine}: start {start:.0f} ms (by hand {hand_start:.0f}), stop {stop:.0f} ms (by hand {hand_stop:.0f})"
        )
        speeds = [(flood(engine), flood_by_hand(engine)) for _ in range(min(3, runs))]
        fast, hand_fast = (statistics.median(column) for column in zip(*speeds, strict=True))
        print(f"{engine}: {LINES} lines of 100 bytes, {fast:.0f} lines/s (by hand {hand_fast:.0f})")


def ours(engine: str, script: str) -> tuple[float, float]:
    """Seconds of a launch, and of a stop until the container is gone."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        running = launch(engine, script, folder)
        started = time.monotonic()
        running.ask_to_stop("SIGTERM")
        wait(running)
        running.close()
        return started - began, time.monotonic() - started


FLOOD = f"yes {'x' * 99} | head -n {LINES}"


def flood(engine: str) -> float:
    """Lines a second from a container that writes as fast as it can, until the last is in our file."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        running = launch(engine, FLOOD, folder)
        wait(running)
        running.close()
        assert Path(folder, "log").read_bytes().count(b"\n") == LINES
        return LINES / (time.monotonic() - began)


def flood_by_hand(engine: str) -> float:
    """The same by ``docker run IMAGE … > file``."""
    with tempfile.NamedTemporaryFile() as log:
        began = time.monotonic()
        subprocess.run(
            [engine, "run", "--name", "las-by-hand", *HAND, BASE, "sh", "-c", FLOOD],
            check=True, stdout=log, stderr=subprocess.PIPE, cwd="/",
        )  # fmt: skip
        subprocess.run([engine, "rm", "las-by-hand"], check=True, capture_output=True, cwd="/")
        took = time.monotonic() - began
        assert Path(log.name).read_bytes().count(b"\n") == LINES
        return LINES / took


def launch(engine: str, script: str, folder: str) -> Running:
    """A module of the benchmark."""
    fd = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    container = ContainerSpec(BASE, user="65534:65534", pull="never")
    spec = LaunchSpec("bench", "bench", Mode.CONTAINER, engine, ("sh", "-c", script), container=container)
    try:
        return load_backend(engine).launch(spec, secrets={}, files=StartFiles(folder, f"{folder}/log", fd, 1, folder))
    finally:
        os.close(fd)


def wait(running: Running) -> None:
    """Until it has ended."""
    while running.exit() is None:
        time.sleep(0.002)


def by_hand(engine: str) -> tuple[float, float]:
    """The same by the engine's own client."""
    began = time.monotonic()
    subprocess.run(
        [engine, "run", "-d", "--name", "las-by-hand", *HAND, BASE, "sh", "-c", "exec sleep 300"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    started = time.monotonic()
    subprocess.run([engine, "stop", "las-by-hand"], check=True, capture_output=True, cwd="/")
    subprocess.run([engine, "rm", "las-by-hand"], check=True, capture_output=True, cwd="/")
    return started - began, time.monotonic() - started


if __name__ == "__main__":
    main()
