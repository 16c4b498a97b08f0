"""The bundled vllm manifest against the real vLLM on a CPU: ready, an answer, and nothing left, whatever died."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import las_jupyter as las
from las_jupyter import Instance

FOLDER = os.environ.get("LAS_VLLM_FOLDER")
pytestmark = pytest.mark.skipif(not FOLDER, reason="vllm: only `make test-vllm` installs it")
CALM = ("--enforce-eager", "--max-model-len", "256", "--dtype", "float32", "--max-num-seqs", "4",
        "--kv-cache-memory-bytes", "64M")  # fmt: skip
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def until(what: Callable[[], bool], seconds: float) -> bool:
    """Whether ``what`` comes true before the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


def tree_of(pid: int) -> list[psutil.Process]:
    main = psutil.Process(pid)
    return [main, *main.children(recursive=True)]


def alive(tree: list[psutil.Process]) -> list[str]:
    return [f"{p.pid} {p.name()}" for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def vllm() -> Iterator[Instance]:
    assert FOLDER
    folder = Path(FOLDER)
    begun = time.monotonic()
    server = las.start(
        "vllm",
        model=str(folder / "tiny"),
        mode="native",
        engine_python=str(folder / "env" / "bin" / "python"),
        env=OFFLINE,
        args=CALM,
        timeout=600,
    )
    print(f"vLLM ready after {time.monotonic() - begun:.1f} s")
    yield server
    if server.state.alive:
        server.stop(grace=30)


def test_the_real_vllm_answers_and_is_gone_after_stop(vllm: Instance) -> None:
    tree = tree_of(vllm.pid)
    answer = vllm.openai().chat.completions.create(
        model=vllm.model, messages=[{"role": "user", "content": "hello"}], max_tokens=8
    )
    begun = time.monotonic()
    vllm.stop()
    print(f"vLLM stopped after {time.monotonic() - begun:.1f} s, {len(tree)} processes")

    assert answer.usage.completion_tokens > 0
    assert len(tree) >= 3
    assert alive(tree) == []
    assert vllm.exit.requested


def test_a_killed_api_server_leaves_no_engine_core_behind(vllm: Instance) -> None:
    tree = tree_of(vllm.pid)
    begun = time.monotonic()
    os.kill(vllm.pid, signal.SIGKILL)

    assert until(lambda: not vllm.state.alive, 60)
    print(f"the rest was gone {time.monotonic() - begun:.1f} s after the API server")
    assert alive(tree) == []
    assert (vllm.exit.signal, vllm.exit.requested) == ("SIGKILL", False)
