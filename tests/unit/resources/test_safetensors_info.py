"""The header of a safetensors model says what it weighs; a bad one ends in a sentence and never in a crash."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidModel
from las_jupyter.resources.model_config import read_attention
from las_jupyter.resources.safetensors_info import read_safetensors

LLAMA_8B = {
    "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072, "vocab_size": 128256,
    "torch_dtype": "bfloat16",
}  # fmt: skip
KIB, GIB = 2**10, 2**30


def header(tensors: dict[str, Any]) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


def a_file(path: Path, tensors: dict[str, tuple[str, list[int], int]], **extra: Any) -> Path:
    """A file with these tensors, one behind the other; its weights are a hole."""
    at, table = 0, dict(extra)
    for name, (kind, shape, size) in tensors.items():
        table[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    head = header(table)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + at)
    return path


def test_the_weights_of_one_file_are_counted_by_type(tmp_path):
    tensors = {"a": ("BF16", [1000, 10], 20000), "b": ("F32", [7], 28), "c": ("F8_E4M3", [5], 5)}
    facts = read_safetensors(a_file(tmp_path / "model.safetensors", tensors, __metadata__={"format": "pt"}))

    assert facts.bytes_by_type == {"BF16": 20000, "F32": 28, "F8_E4M3": 5}
    assert (facts.parameters, facts.weights, facts.files, facts.attention) == (10012, 20033, 1, None)


def test_all_files_an_index_names_are_counted_and_no_other(tmp_path):
    for name, size in {"one": 8, "two": 16, "older": 4000}.items():
        a_file(tmp_path / f"{name}.safetensors", {name: ("F16", [size // 2], size)})
    names = {"x": "one.safetensors", "y": "one.safetensors", "z": "two.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))

    facts = read_safetensors(tmp_path)

    assert (facts.weights, facts.files) == (24, 2)
    assert facts.attention is not None and facts.attention.layers == 32


def test_sixty_gigabytes_of_weights_are_not_read(tmp_path):
    path = a_file(tmp_path / "model.safetensors", {"a": ("BF16", [30 * 10**9], 60 * 10**9)})
    tracemalloc.start()
    try:
        assert read_safetensors(path).weights == 60 * 10**9
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = a_file(tmp_path / "model.safetensors", {"a": ("F16", [4], 8)})
    assert read_safetensors(path) == read_safetensors(path)

    a_file(tmp_path / "other", {"a": ("F16", [8], 16)}).replace(path)
    assert read_safetensors(path).weights == 16


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends before its header"),
        (struct.pack("<Q", 2**63) + b"{}", "claims 9223372036854775808 bytes"),
        (struct.pack("<Q", 100) + b"{}", "claims 100 bytes"),
        (struct.pack("<Q", 4) + b"nope", "no JSON"),
        (struct.pack("<Q", 2) + b"[]", "no JSON object"),
        (struct.pack("<Q", 5000) + b"[" * 5000, "no JSON"),
        (header({"a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}), "cut off"),
        (header({"a": {"dtype": "F16", "shape": [2], "data_offsets": [4, 0]}}) + b"1234", "-4 bytes"),
        (header({"a": {"dtype": "F16", "shape": [-2], "data_offsets": [0, 4]}}) + b"1234", "impossible"),
        (header({"a": {"dtype": "F16", "shape": [9], "data_offsets": [0, 4]}}) + b"1234", "4 bytes"),
        (header({"a": 5}), "no dtype"),
        (
            header({n: {"dtype": "I8", "shape": [4], "data_offsets": [at, at + 4]} for n, at in (("a", 0), ("b", 2))})
            + b"123456",
            "lie over each other",
        ),
    ],
)
def test_a_bad_file_ends_in_a_sentence_that_says_why(tmp_path, content, why):
    (tmp_path / "model.safetensors").write_bytes(content)

    with pytest.raises(InvalidModel) as refused:
        read_safetensors(tmp_path)
    assert why in (refused.value.cause or "")


@pytest.mark.parametrize("name", ["../other/model.safetensors", "/etc/passwd", "", ".."])
def test_an_index_cannot_lead_out_of_its_folder(tmp_path, name):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))

    with pytest.raises(InvalidModel, match="makes no sense"):
        read_safetensors(tmp_path)


def test_a_file_that_the_index_names_and_nobody_fetched_is_said(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "one.safetensors"}}))

    with pytest.raises(InvalidModel, match=r"one\.safetensors cannot be read"):
        read_safetensors(tmp_path)


def cache(**changes: Any) -> Any:
    found = read_attention({**LLAMA_8B, **changes})
    assert found is not None
    return found


def test_grouped_heads_are_128_kib_a_token_and_a_gibibyte_for_8192():
    assert cache().cache_bytes(16) == 16 * 128 * KIB
    assert cache().cache_bytes(8192) == GIB
    assert cache().cache_bytes(8192, sequences=3, element=1) == 3 * GIB // 2


def test_a_windowed_layer_keeps_its_window_only_where_the_config_names_the_layers():
    kinds = ["sliding_attention", "full_attention"] * 16
    assert cache(sliding_window=1024).cache_bytes(65536) == 8 * GIB
    assert cache(sliding_window=1024, layer_types=kinds).cache_bytes(65536) == 4 * GIB + 16 * 4096 * 3072
    assert cache(sliding_window=1024, layer_types=kinds, use_sliding_window=False).cache_bytes(65536) == 8 * GIB


def test_a_compressed_cache_counts_once_and_not_twice():
    deepseek = cache(kv_lora_rank=512, qk_rope_head_dim=64, num_hidden_layers=61)

    assert deepseek.cache_bytes(4096) == 61 * 4096 * 576 * 2


def test_a_recurrent_layer_keeps_a_state_that_does_not_grow():
    hybrid = cache(layer_types=["mamba"] * 28 + ["attention"] * 4, mamba_d_state=128, mamba_n_heads=128,
                   mamba_d_head=64, mamba_n_groups=1, mamba_d_conv=4)  # fmt: skip
    state = 28 * 4 * (3 * (8192 + 2 * 128) + 8192 * 128)

    assert hybrid.cache_bytes(8192) == GIB // 8 + state
    assert hybrid.cache_bytes(8192, sequences=2) == GIB // 4 + 2 * state


def test_of_a_model_that_also_sees_the_text_part_counts():
    seeing = read_attention({"model_type": "llava", "text_config": LLAMA_8B, "vision_config": {"hidden_size": 1}})

    assert seeing is not None and seeing.hidden == 4096


@pytest.mark.parametrize("config", [{}, {"num_hidden_layers": "many"}, {"num_hidden_layers": 10**9, "hidden_size": 1}])
def test_a_config_that_says_too_little_gives_no_shape(config):
    assert read_attention(config) is None


words = st.sampled_from([*LLAMA_8B, "layer_types", "sliding_window", "kv_lora_rank", "attn_layer_period", "text_config",
                         "attn_layer_indices", "mamba_d_state", "linear_value_head_dim", "head_dim"])  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)


fuzzed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@fuzzed
@given(st.dictionaries(words, values, max_size=5))
def test_no_config_crashes_the_reader(config):
    found = read_attention({**LLAMA_8B, **config})
    if found is not None:
        assert found.cache_bytes(4096) >= 0


entries = st.fixed_dictionaries({}, optional={"dtype": values, "shape": values, "data_offsets": values})


@fuzzed
@given(head=st.binary(max_size=200) | st.dictionaries(st.text(max_size=3), entries | values, max_size=4).map(header),
       tail=st.binary(max_size=40))  # fmt: skip
def test_no_file_crashes_the_reader(tmp_path_factory, head, tail):
    path = tmp_path_factory.mktemp("fuzz") / "model.safetensors"
    path.write_bytes(head + tail)
    try:
        assert read_safetensors(path).weights <= len(tail)
    except InvalidModel as error:
        assert error.message.endswith(".")
