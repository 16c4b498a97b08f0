"""
What deciding costs: ``import las_jupyter``, the first plan, a plan with everything warm, and one model's header.

``python benchmarks/planning.py [RUNS]`` needs the extra ``llamacpp`` and the demo model; with the package ``gguf`` it
also says how much faster our reader of headers is.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from synthetic_gguf import write_synthetic


def milliseconds(action: Callable[[], object]) -> float:
    """How long ``action`` took."""
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


def by_process(code: str) -> float:
    """What a fresh Python takes for ``code``, without its own start."""
    timed = f"import time\nbegun = time.perf_counter()\n{code}\nprint((time.perf_counter() - begun) * 1000)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def told(label: str, values: list[float], bound: float | None = None) -> None:
    """One line: median, least, most, and the ratio to what is to be reached."""
    middle = statistics.median(values)
    ratio = f"{middle / bound:8.2f} of {bound:g} ms" if bound else ""
    print(f"{label:36}{middle:10.1f}{min(values):9.1f}{max(values):9.1f}{ratio}")


def main() -> None:
    """Print the figures."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAS_JUPYTER_STATE_DIR"] = folder
        plan = "import las_jupyter as las; las.plan('llama.cpp', model='smollm2-135m', port=0)"
        print(f"{'milliseconds':36}{'median':>10}{'min':>9}{'max':>9}   ({runs} runs)")
        told("import las_jupyter", [by_process("import las_jupyter") for _ in range(runs)], 150)
        told("import and first plan", [by_process(plan) for _ in range(runs)])
        import las_jupyter as las

        path = las.plan("llama.cpp", model="smollm2-135m", port=0).spec.argv
        told(
            "plan, warm",
            [milliseconds(lambda: las.plan("llama.cpp", model="smollm2-135m", port=0)) for _ in range(runs)],
            50,
        )
        _large_header(Path(folder) / "large.gguf", runs)
        _header(path[path.index("--model") + 1], runs)


def _large_header(path: Path, runs: int) -> None:
    from las_jupyter.resources.gguf_info import read_header

    write_synthetic(path)
    told("1,000 tensors and 150,000 words", [milliseconds(lambda: read_header(path)) for _ in range(runs)], 50)


def _header(model: str, runs: int) -> None:
    from las_jupyter.resources.gguf_info import read_header

    ours = [milliseconds(lambda: read_header(Path(model))) for _ in range(runs)]
    told("a GGUF header", ours, 50)
    try:
        from gguf import GGUFReader
    except ImportError:
        return
    theirs = [milliseconds(lambda: GGUFReader(model)) for _ in range(3)]
    told("the same by the gguf package", theirs)
    print(f"{'ratio gguf / ours':36}{statistics.median(theirs) / statistics.median(ours):10.0f}")


if __name__ == "__main__":
    main()
