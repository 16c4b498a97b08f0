"""A GGUF file as large models have them: a thousand tensors, a vocabulary of 150,000 words, and a hole for weights."""

from __future__ import annotations

import struct
from pathlib import Path

_UINT32, _INT32, _STRING, _ARRAY, _F16 = 4, 5, 8, 9, 1


def write_synthetic(path: Path, tensors: int = 1000, words: int = 150_000) -> None:
    """Write it to ``path``; its weights take no room on the disk."""
    layers = tensors // 10
    numbers = {
        "block_count": layers, "context_length": 131072, "embedding_length": 4096, "attention.head_count": 32,
        "attention.head_count_kv": 8,
    }  # fmt: skip
    pairs = [
        _pair("general.architecture", _STRING, _text("llama")),
        *(_pair(f"llama.{key}", _UINT32, struct.pack("<I", value)) for key, value in numbers.items()),
        _pair("tokenizer.ggml.tokens", _ARRAY, _texts([f"word{at}" for at in range(words)])),
        _pair("tokenizer.ggml.token_type", _ARRAY, struct.pack("<IQ", _INT32, words) + bytes(4 * words)),
        _pair("tokenizer.ggml.merges", _ARRAY, _texts([f"wo rd{at}" for at in range(words)])),
    ]
    rows, columns, infos = 4096, 32, []
    for at in range(tensors):
        shape = struct.pack("<I2QIQ", 2, rows, columns, _F16, at * rows * columns * 2)
        infos.append(_text(f"blk.{at // 10}.attn_{at % 10}.weight") + shape)
    head = struct.pack("<4sIQQ", b"GGUF", 3, tensors, len(pairs)) + b"".join(pairs) + b"".join(infos)
    head += bytes(-len(head) % 32)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + tensors * rows * columns * 2)


def _text(word: str) -> bytes:
    return struct.pack("<Q", len(word)) + word.encode()


def _texts(words: list[str]) -> bytes:
    return struct.pack("<IQ", _STRING, len(words)) + b"".join(map(_text, words))


def _pair(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value
