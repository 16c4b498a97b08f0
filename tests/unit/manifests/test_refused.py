from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import bundled, load_catalog
from las_jupyter.manifests.refused import refused_arguments, settled_variables
from las_jupyter.planning.arguments import check_environment


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
    ("module", "typed", "word"),
    [
        ("redis", "--bind 0.0.0.0", "--bind"), ("redis", "--BIND 0.0.0.0", "--BIND"),
        ("redis", '--save ""\nbind 0.0.0.0', "--bind"), ("redis", "--save 60 1 --bind 0.0.0.0", "--bind"),
        ("redis", "--user default on nopass ~* +@all", "--user"), ("redis", "--include /x", "--include"),
        ("redis", " --bind 0.0.0.0", "--bind"), ("redis", "--aclfile", "--aclfile"),
        ("redis", '--"\\x75ser" default on nopass', '--"\\x75ser"'), ("redis", "--bi\\nd", "--bi\\nd"),
        ("postgres", "LISTEN_ADDRESSES=*", "LISTEN_ADDRESSES"), ("postgres", "listen-addresses=*", "listen-addresses"),
        ("postgres", "-cListen_Addresses=*", "-cListen_Addresses"),
        ("postgres", " listen_addresses=*", "listen_addresses"),
        ("postgres", "-c listen_addresses=*", "listen_addresses"), ("postgres", "PORT=1", "PORT"),
        ("postgres", "hba_file=/x", "hba_file"), ("postgres", "--hba-file=/x", "--hba-file"),
        ("postgres", "--config_file=/x", "--config_file"), ("postgres", "-D/x", "-D/x"),
        ("vllm", "--ho", "--ho"), ("vllm", "--ap", "--ap"), ("vllm", "--ud", "--ud"), ("vllm", "--config", "--config"),
        ("vllm", "--h", "--h"), ("comfyui", "--li", "--li"), ("http-echo", "--ho", "--ho"),
    ],
)  # fmt: skip
def test_a_word_is_read_as_its_engine_reads_it(module: str, typed: str, word: str):
    assert refused(module, typed) == [word]


@given(st.sampled_from([(entry.manifest, option) for entry in bundled() for row in entry.manifest.refuse
                        for option in row.args if option.startswith("--")]), st.data())  # fmt: skip
def test_no_spelling_of_a_refused_option_gets_past(rule, data):
    manifest, option = rule
    name = option.rstrip("*")
    cased = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in name)
    spelled = "".join(data.draw(st.sampled_from("-_")) if letter == "-" else letter for letter in cased[2:])
    short = spelled if option.endswith("*") else spelled[: data.draw(st.integers(1, len(spelled)))]
    before = data.draw(st.sampled_from(["", " ", "\t", '--save ""\n', "--loglevel x "]))
    after = data.draw(st.sampled_from(["", "=x", " x", "\tx", "\nx"]))

    assert refused_arguments(manifest, [f"{before}--{short}{after}"]), "it is let through"


@pytest.mark.parametrize(
    ("module", "typed"),
    [("vllm", "--max-model-len"), ("vllm", "--enforce-eager"), ("llama.cpp", "-ngl"), ("llama.cpp", "-mg"),
     ("llama.cpp", "--ctx-size=8192"), ("redis", "--maxmemory"), ("postgres", "work_mem=64MB"), ("vllm", "host"),
     ("postgres", "-d2"), ("vllm", "{% if --host %}"), ("llama.cpp", "You never say\nhost"), ("vllm", "-O3"),
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


@pytest.mark.parametrize("name", ["QDRANT__SERVICE__HOST", "qdrant__service__host", "Qdrant__Service__Api_Key"])
def test_a_settled_variable_is_settled_in_any_case_of_its_letters(name):
    with pytest.raises(PlanRefused, match=name):
        check_environment([name], load_catalog().find("qdrant").manifest, Mode.NATIVE)
