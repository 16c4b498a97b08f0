"""How many parameters a model has, by the headers of its files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from las_jupyter.resources.gguf_info import all_parameters, read_gguf
from las_jupyter.resources.parameters import count_parameters


def a_gguf(path: Path, width: int, *, parts: int = 1) -> Path:
    """One tensor of 3 rows and ``width`` columns."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    head += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    head += text(b"split.count") + struct.pack("<IH", 2, parts)
    head += text(b"token_embd.weight") + struct.pack("<IQQIQ", 2, width, 3, 0, 0)
    path.write_bytes(head + bytes(12 * width))
    return path


def a_safetensors(path: Path, **tensors: tuple[str, list[int]]) -> None:
    rows = {name: {"dtype": kind, "shape": shape, "data_offsets": [0, 0]} for name, (kind, shape) in tensors.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **rows}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def test_a_gguf_file_tells_by_the_shapes_of_its_tensors(tmp_path):
    model = a_gguf(tmp_path / "m.gguf", 1000)

    assert all_parameters(model, read_gguf(model)) == 3000


def test_the_parts_of_a_split_model_are_added(tmp_path):
    first = a_gguf(tmp_path / "m-00001-of-00002.gguf", 1000, parts=2)
    facts = read_gguf(first)

    assert all_parameters(first, facts) is None, "the other half is not here"
    a_gguf(tmp_path / "m-00002-of-00002.gguf", 10, parts=2)
    assert all_parameters(first, facts) == 3030


def test_a_split_model_under_another_name_does_not_tell(tmp_path):
    model = a_gguf(tmp_path / "renamed.gguf", 1000, parts=2)

    assert all_parameters(model, read_gguf(model)) is None


def test_a_folder_of_safetensors_tells(tmp_path):
    a_safetensors(tmp_path / "a.safetensors", w=("BF16", [10, 20]), scalar=("F32", []))
    a_safetensors(tmp_path / "b.safetensors", v=("BF16", [5]))

    assert count_parameters(tmp_path) == 206


def test_packed_weights_are_counted_unpacked(tmp_path):
    a_safetensors(tmp_path / "a.safetensors", **{"l.qweight": ("I32", [10, 10]), "l.scales": ("F16", [10])})
    assert count_parameters(tmp_path) == 800

    (tmp_path / "config.json").write_text('{"quantization_config": {"bits": 8}}')
    assert count_parameters(tmp_path) == 400


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b"\x05\0\0\0\0\0\0\0{\"a\"", b"\x09\0\0\0\0\0\0\0{\"a\": []}",
     b"\x14\0\0\0\0\0\0\0{\"a\":{\"shape\":[-1]}} "],
)  # fmt: skip
def test_a_damaged_file_does_not_tell(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)

    assert count_parameters(tmp_path) is None


def test_a_folder_without_them_does_not_tell(tmp_path):
    assert count_parameters(tmp_path) is None
    assert count_parameters(tmp_path / "nothing") is None
