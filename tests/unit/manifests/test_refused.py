from __future__ import annotations

import pytest

from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.manifests.refused import refused_arguments, settled_variables


def refused(module: str, *args: str) -> list[str]:
    return [found.word for found in refused_arguments(load_catalog().find(module).manifest, args)]


@pytest.mark.parametrize(
    ("module", "typed"),
    [
        ("vllm", "--host"), ("vllm", "--host=0.0.0.0"), ("vllm", "--hos=0.0.0.0"), ("vllm", "--HOST"),
        ("vllm", "--api_key=x"), ("vllm", "--api-key"), ("vllm", "--uds"), ("llama.cpp", "-m"),
        ("llama.cpp", "--api-key-file"), ("postgres", "-h0.0.0.0"), ("postgres", "-h"),
        ("postgres", "listen_addresses=*"), ("postgres", "-clisten_addresses=*"), ("redis", "--requirepass"),
        ("text-embeddings-inference", "-p9"), ("http-echo", "-listen=:80"),
    ],
)  # fmt: skip
def test_what_would_undo_a_decision_is_refused_in_any_spelling(module: str, typed: str):
    assert refused(module, typed) == [typed.partition("=")[0]]


@pytest.mark.parametrize(
    ("module", "typed"),
    [("vllm", "--max-model-len"), ("vllm", "--enforce-eager"), ("llama.cpp", "-ngl"), ("llama.cpp", "-mg"),
     ("llama.cpp", "--ctx-size=8192"), ("redis", "--maxmemory"), ("postgres", "work_mem=64MB"), ("vllm", "host"),
     ("vllm", "--"), ("vllm", "-"), ("vllm", "")],
)  # fmt: skip
def test_all_else_goes_to_the_engine(module: str, typed: str):
    assert refused(module, typed) == []


def test_a_variable_that_carries_the_address_or_a_key_is_settled():
    find = load_catalog().find

    assert "OLLAMA_HOST" in settled_variables(find("ollama").manifest, Mode.NATIVE)
    assert "VLLM_API_KEY" in settled_variables(find("vllm").manifest, Mode.NATIVE)
    assert "QDRANT__SERVICE__GRPC_PORT" in settled_variables(find("qdrant").manifest, Mode.CONTAINER)
    assert "VLLM_CPU_KVCACHE_SPACE" not in settled_variables(find("vllm").manifest, Mode.NATIVE)
