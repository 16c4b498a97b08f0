"""A GGUF file small enough to make for every test."""

import struct

TENSOR_BYTES = 4096 * 4


def gguf_bytes(*, version: int = 3, kind: int = 0) -> bytes:
    """A whole GGUF file with some metadata and one tensor of 4096 32-bit weights."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    head = b"GGUF" + struct.pack("<IQQ", version, 1, 3)
    head += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    head += text(b"general.alignment") + struct.pack("<II", 4, 64)
    head += text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b")
    head += text(b"token_embd.weight") + struct.pack("<IQIQ", 1, 4096, kind, 0)
    return head + b"\0" * (-len(head) % 64) + b"\1" * TENSOR_BYTES
