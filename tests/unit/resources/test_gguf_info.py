"""A header tells what memory depends on, and a damaged one tells that it is damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidModel
from las_jupyter.resources.gguf_info import read_gguf


def a_model(path: Path, *, architecture: str = "llama", layers: int = 3, **more: object) -> Path:
    """A whole file by the ``gguf`` package: grouped heads, an embedding, and one matrix a layer."""
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(8192)
    writer.add_embedding_length(64)
    writer.add_head_count(8)
    writer.add_head_count_kv(more.get("heads_kv", 2))  # type: ignore[arg-type]
    writer.add_token_list([f"word{index}" for index in range(more.get("words", 100))])  # type: ignore[call-overload]
    for key, value in (more.get("numbers") or {}).items():  # type: ignore[attr-defined]
        writer.add_uint32(f"{architecture}.{key}", value)
    if "pattern" in more:
        writer.add_sliding_window_pattern(more["pattern"])  # type: ignore[arg-type]
    writer.add_tensor("token_embd.weight", np.zeros((100, 64), np.float32))
    for index in range(layers):
        for name in more.get("tensors", ("attn_k.weight",)):  # type: ignore[attr-defined]
            writer.add_tensor(f"blk.{index}.{name}", np.zeros((64, 32), np.float16))
    writer.add_tensor("output_norm.weight", np.zeros(64, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return a_model(tmp_path_factory.mktemp("gguf") / "whole.gguf").read_bytes()


def test_the_shape_of_the_model_is_read(tmp_path):
    facts = read_gguf(a_model(tmp_path / "m.gguf"))

    assert (facts.architecture, facts.context, facts.layers, facts.embedding, facts.heads) == ("llama", 8192, 3, 64, 8)
    assert (facts.heads_kv, facts.key_length, facts.value_length, facts.vocabulary) == ((2, 2, 2), 8, 8, 100)


def test_the_bytes_of_the_weights_are_those_the_gguf_package_counts(tmp_path):
    path = a_model(tmp_path / "m.gguf")

    facts = read_gguf(path)

    assert facts.weights == sum(int(tensor.n_bytes) for tensor in GGUFReader(path).tensors)
    assert (facts.layer_bytes, facts.embedding_bytes, facts.other_bytes) == ((4096, 4096, 4096), 25600, 256)


def test_an_output_that_is_the_embedding_is_known_as_tied(tmp_path):
    assert read_gguf(a_model(tmp_path / "m.gguf")).tied


def test_heads_may_differ_from_layer_to_layer(tmp_path):
    assert read_gguf(a_model(tmp_path / "m.gguf", heads_kv=[1, 0, 4])).heads_kv == (1, 0, 4)


def test_a_window_holds_for_the_layers_the_header_names(tmp_path):
    path = a_model(tmp_path / "m.gguf", numbers={"attention.sliding_window": 512}, pattern=[True, True, False])

    facts = read_gguf(path)

    assert (facts.window, facts.windowed) == (512, (True, True, False))


def test_a_window_without_named_layers_is_not_believed(tmp_path):
    facts = read_gguf(a_model(tmp_path / "m.gguf", numbers={"attention.sliding_window": 512}))

    assert (facts.window, facts.windowed) == (0, ())


def test_compressed_attention_is_known_by_the_width_of_its_entry(tmp_path):
    path = a_model(tmp_path / "m.gguf", numbers={"attention.kv_lora_rank": 512, "rope.dimension_count": 64})

    assert read_gguf(path).latent == 576


def test_recurrent_layers_keep_a_state_and_no_cache(tmp_path):
    ssm = {"ssm.inner_size": 128, "ssm.state_size": 16, "ssm.conv_kernel": 4, "ssm.group_count": 0}
    path = a_model(tmp_path / "m.gguf", numbers=ssm, tensors=("ssm_conv1d.weight",))

    facts = read_gguf(path)

    assert facts.heads_kv == (0, 0, 0)
    assert facts.state_bytes == 3 * 4 * (3 * 128 + 128 * 16)


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>", b"GGUF\3\0\0\0" + b"\xff" * 64],
    ids=["empty", "magic only", "LFS pointer", "web page", "impossible counts"],
)
def test_what_is_no_model_is_an_error_of_ours(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)

    with pytest.raises(InvalidModel):
        read_gguf(path)


@given(data=st.data())
def test_a_header_damaged_anywhere_gives_facts_or_a_sentence(tmp_path_factory, whole, data):
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 1500))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "m.gguf"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    try:
        facts = read_gguf(path)
    except InvalidModel as error:
        assert str(path) in error.message
    else:
        assert facts.weights <= len(whole) * (1 + facts.layers + 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e30])
def test_a_number_that_is_none_is_refused(tmp_path, whole, value):
    at = whole.index(b"llama.context_length") + len(b"llama.context_length")
    content = bytearray(whole)
    content[at : at + 4] = struct.pack("<I", 6)
    content[at + 4 : at + 8] = struct.pack("<f", value)
    path = tmp_path / "m.gguf"
    path.write_bytes(content)

    with pytest.raises(InvalidModel, match="makes no sense"):
        read_gguf(path)


def test_the_weights_of_one_part_of_many_are_known_to_be_a_part(tmp_path):
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_uint16("split.count", 3)
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    assert read_gguf(path).parts == 3


def test_heads_that_are_no_numbers_are_refused(tmp_path):
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_array("llama.attention.head_count_kv", [float("nan"), 1.0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    with pytest.raises(InvalidModel, match="makes no sense"):
        read_gguf(path)


def test_a_model_that_was_replaced_is_read_anew(tmp_path):
    path = a_model(tmp_path / "m.gguf", layers=3)
    assert read_gguf(path) is read_gguf(path)

    a_model(tmp_path / "other.gguf", layers=5).replace(path)
    assert read_gguf(path).layers == 5
