"""
Start to ready: ``las.start`` against the same server started by hand, in turn, in one run.

``python benchmarks/start.py [RUNS]`` needs the extra ``llamacpp`` and the demo model. By hand means ``Popen`` of the
same command line and asking ``/health`` every 5 ms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path


def by_hand(argv: list[str], port: int) -> float:
    """Seconds from Popen to the first 200."""
    begun = time.perf_counter()
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - begun
            except (urllib.error.URLError, OSError):
                time.sleep(0.005)
    finally:
        server.terminate()
        server.wait()


def by_las(name: str) -> tuple[float, float, list[str], int]:
    """Seconds from the call to the ready instance, and of its stop; the command line and port it used."""
    import las_jupyter as las

    begun = time.perf_counter()
    server = las.start("llama.cpp", model="smollm2-135m", port=0, name=name)
    ready = time.perf_counter() - begun
    argv = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    begun = time.perf_counter()
    server.stop()
    return ready, time.perf_counter() - begun, argv, server.port


def main() -> None:
    """Print the medians and their ratio."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAS_JUPYTER_STATE_DIR"] = folder
        by_las("warm-up")
        ours, theirs, stops, ratios = [], [], [], []
        for _ in range(runs):
            ready, stop, argv, port = by_las("bench")
            plain = by_hand(argv, port)
            ours.append(ready)
            theirs.append(plain)
            stops.append(stop)
            ratios.append(ready / plain)
        print(f"{'':28}{'median s':>10}{'min':>8}{'max':>8}   ({runs} runs in turn)")
        for label, values in (
            ("las.start to ready", ours),
            ("by hand to first 200", theirs),
            ("las stop, verified", stops),
        ):
            print(f"{label:28}{statistics.median(values):10.3f}{min(values):8.3f}{max(values):8.3f}")
        print(f"{'ratio las.start / by hand':28}{statistics.median(ratios):10.2f}{min(ratios):8.2f}{max(ratios):8.2f}")


if __name__ == "__main__":
    main()
