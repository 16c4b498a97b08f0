"""
What a GGUF header says about the memory a model needs: bytes of its weights by layer, and the shape of its attention.

Only the first bytes of the file are mapped and walked once; long arrays (a tokenizer has 100,000 words) are stepped
over, and no weight is read. See docs/decisions/0040 for why this is not the ``gguf`` package.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.errors import InvalidModel
from las_jupyter.resources.ggml_types import BLOCKS
from las_jupyter.state.files import plain

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_LONGEST_KEPT = 4096  # an array with one number a layer is short; a vocabulary is not, and nobody needs its words
_BLOCK = re.compile(rb"blk\.(\d+)\.")
_LAYERS_AT_MOST = 100_000
_HEADER_AT_MOST = 128 * 2**20  # the largest known are a tenth of it; a damaged count must not walk 40 GB of weights

Tensors = dict[bytes, tuple[int, tuple[int, ...]]]
Value = int | float | str | tuple[int | float, ...]


class GgufFacts(NamedTuple):
    """
    What memory depends on. Sizes in bytes; a tuple by layer has one entry for each block, 0 where it has none of it.

    ``heads_kv`` is 0 for layers without attention. ``window`` is the sliding window in tokens, 0 for none, and
    ``windowed`` the layers it holds for. ``latent`` is the width of one compressed entry (MLA), 0 for none.
    ``state_bytes`` is the fixed state of the recurrent layers for one sequence. ``parts`` above 1: the rest of the
    weights lies in other files and is not counted here. ``parameters`` is the count of all weights of this file.
    """

    architecture: str
    context: int
    layers: int
    embedding: int
    heads: int
    heads_kv: tuple[int, ...]
    key_length: int
    value_length: int
    vocabulary: int
    layer_bytes: tuple[int, ...]
    other_bytes: int
    embedding_bytes: int
    window: int = 0
    windowed: tuple[bool, ...] = ()
    latent: int = 0
    state_bytes: int = 0
    tied: bool = False
    parts: int = 1
    parameters: int = 0

    @property
    def weights(self) -> int:
        """All weights."""
        return sum(self.layer_bytes) + self.other_bytes + self.embedding_bytes


def read_gguf(path: str | Path) -> GgufFacts:
    """
    The facts of a GGUF file.

    Raises ``InvalidModel`` when it is none, is cut inside its header, or says nothing that makes sense. A file that
    did not change since is not read again.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read.", cause=error.strerror or str(error)) from error
    return _kept(Path(path), (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=64)
def _kept(path: Path, edition: tuple[int, ...]) -> GgufFacts:  # noqa: ARG001 - a key; an error is not kept
    return read_header(path)


def read_header(path: Path) -> GgufFacts:
    """``read_gguf``, whatever is remembered."""
    try:
        with open(path, "rb", opener=plain) as file:
            if file.read(4) != b"GGUF":
                raise InvalidModel(f"{path} is not a GGUF model.", remedy="download the model again")
            size = os.fstat(file.fileno()).st_size
            with mmap.mmap(file.fileno(), min(size, _HEADER_AT_MOST), access=mmap.ACCESS_READ) as view:
                pairs, tensors = _Walk(view, size).header()
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read.", cause=error.strerror or str(error)) from error
    except (_Broken, struct.error, UnicodeDecodeError) as error:
        raise InvalidModel(
            f"The header of {path} is damaged or cut off.", cause=str(error) or None, remedy="download the model again"
        ) from error
    try:
        return _facts(pairs, tensors)
    except (_Broken, ValueError, OverflowError) as error:  # the latter: a count that is no number at all
        raise InvalidModel(f"The header of {path} makes no sense.", cause=str(error)) from error


def all_parameters(path: str | Path, facts: GgufFacts) -> int | None:
    """The parameters of the model, the other files of a split one included; None when one of them is not here."""
    if facts.parts == 1:
        return facts.parameters
    path = Path(path)
    numbered = re.fullmatch(r"(.*-)\d{5}(-of-\d{5}\.gguf)", path.name)
    if numbered is None:
        return None
    files = [path.with_name(f"{numbered[1]}{part:05d}{numbered[2]}") for part in range(1, facts.parts + 1)]
    try:
        return sum(read_gguf(file).parameters for file in files)
    except InvalidModel:
        return None


class _Broken(Exception):
    """The header cannot be; the message says why."""


class _Walk:
    """One pass over a header. Every length is checked against the file before it is believed."""

    def __init__(self, view: mmap.mmap, file_size: int) -> None:
        self._view = view
        self._file_size = file_size
        self._end = len(view)
        self._at = 4

    def header(self) -> tuple[dict[str, Value], Tensors]:
        """The metadata that is short, and bytes and dimensions of each tensor by name."""
        version = self._number("<I")
        if not 2 <= version <= 3:
            raise _Broken(f"it is of version {version}, and 2 and 3 are known")
        tensors, pairs = self._number("<Q"), self._number("<Q")
        known: dict[str, Value] = {}
        for _ in range(pairs):
            key = self._string().decode()
            value = self._value(self._number("<I"))
            if value is not None:
                known[key] = value
        return known, dict(self._tensor() for _ in range(tensors))

    def _tensor(self) -> tuple[bytes, tuple[int, tuple[int, ...]]]:
        name = self._string()
        rank = self._number("<I")
        if rank > 8:
            raise _Broken(f"a tensor has {rank} dimensions")
        shape = struct.unpack_from(f"<{rank}Q", self._view, self._at)
        self._at += 8 * rank
        kind = self._number("<I")
        self._at += 8
        count = 1
        for each in shape:
            count *= each
        # A type of tomorrow: two bytes a weight is the middle of what there is.
        per_block, size = BLOCKS.get(kind, (1, 2))
        bytes_ = count // per_block * size
        if bytes_ > self._file_size:
            raise _Broken("a tensor is larger than the file")
        return name, (bytes_, shape)

    def _value(self, kind: int) -> Value | None:
        if kind == _STRING:
            return self._string().decode(errors="replace")
        if kind == _ARRAY:
            return self._array()
        form = _SCALARS.get(kind)
        if form is None:
            raise _Broken(f"a value is of the unknown type {kind}")
        return self._number(form)

    def _array(self) -> Value | None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind == _STRING:
            # Two hundred thousand words are stepped over here: this loop is the whole cost of a header.
            view, at, end, unpack = self._view, self._at, self._end, struct.Struct("<Q").unpack_from
            for _ in range(count):
                at += 8 + unpack(view, at)[0]
                if at > end:
                    raise _Broken("it ends inside a list of words")
            self._at = at
            return count
        form = _SCALARS.get(kind)
        if form is None:
            raise _Broken(f"a list is of the unknown type {kind}")
        start, size = self._at, struct.calcsize(form) * count
        self._at += size
        if self._at > self._end:
            raise _Broken("it ends inside a list of numbers")
        return struct.unpack_from(f"<{count}{form[1]}", self._view, start) if count <= _LONGEST_KEPT else None

    def _number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._view, self._at)
        self._at += struct.calcsize(form)
        return value  # type: ignore[no-any-return]

    def _string(self) -> bytes:
        length = self._number("<Q")
        start, self._at = self._at, self._at + length
        if self._at > self._end:
            raise _Broken("it ends inside a word")
        return self._view[start : self._at]


def _facts(pairs: dict[str, Value], tensors: Tensors) -> GgufFacts:
    architecture = str(pairs.get("general.architecture", ""))

    def number(key: str, default: int = 0) -> int:
        value = pairs.get(f"{architecture}.{key}", default)
        if isinstance(value, tuple):
            value = max(value, default=default)
        if isinstance(value, str) or not 0 <= value < 2**48:
            raise _Broken(f"{architecture}.{key} is {value!r}")
        return int(value)

    layers, heads, embedding = number("block_count"), number("attention.head_count"), number("embedding_length")
    if layers > _LAYERS_AT_MOST:
        raise _Broken(f"it claims {layers} layers")
    by_layer, other, embedding_bytes = [0] * layers, 0, 0
    for name, (size, _) in tensors.items():
        found = _BLOCK.match(name)
        if found and int(found[1]) < layers:
            by_layer[int(found[1])] += size
        elif name.startswith(b"token_embd."):
            embedding_bytes += size
        else:
            other += size
    each_head = embedding // heads if heads else 0
    latent = number("attention.kv_lora_rank")
    shape = tensors.get(b"token_embd.weight", (0, ()))[1]
    tokens = pairs.get("tokenizer.ggml.tokens")
    window, windowed = _window(pairs, architecture, layers, number("attention.sliding_window"))
    return GgufFacts(
        architecture=architecture,
        context=number("context_length"),
        layers=layers,
        embedding=embedding,
        heads=heads,
        heads_kv=_heads_kv(pairs, architecture, layers, heads, tensors),
        key_length=number("attention.key_length", each_head),
        value_length=number("attention.value_length", each_head),
        vocabulary=number("vocab_size", tokens if isinstance(tokens, int) else (shape[1] if len(shape) > 1 else 0)),
        layer_bytes=tuple(by_layer),
        other_bytes=other,
        embedding_bytes=embedding_bytes,
        window=window,
        windowed=windowed,
        latent=latent + number("rope.dimension_count") if latent else 0,
        state_bytes=_state_bytes(number, layers, tensors),
        tied=b"output.weight" not in tensors and embedding_bytes > 0,
        parts=_parts(pairs),
        parameters=sum(math.prod(shape) for _, shape in tensors.values()),
    )


def _heads_kv(
    pairs: dict[str, Value],
    architecture: str,
    layers: int,
    heads: int,
    tensors: Tensors,
) -> tuple[int, ...]:
    """KV heads of each layer; a layer without attention weights of its own keeps no cache, whatever the number says."""
    said = pairs.get(f"{architecture}.attention.head_count_kv", heads)
    if isinstance(said, tuple):
        numbers = [int(each) for each in said[:layers]]
        numbers += [0] * (layers - len(numbers))
    elif isinstance(said, str):
        raise _Broken(f"{architecture}.attention.head_count_kv is {said!r}")
    else:
        numbers = [int(said)] * layers
    if any(not 0 <= each < 2**20 for each in numbers):
        raise _Broken("a layer has an impossible number of heads")
    recurrent = {int(found[1]) for name in tensors if b".ssm_" in name and (found := _BLOCK.match(name))}
    attending = {int(found[1]) for name in tensors if b".attn_k" in name and (found := _BLOCK.match(name))}
    return tuple(0 if index in recurrent - attending else each for index, each in enumerate(numbers))


def _window(pairs: dict[str, Value], architecture: str, layers: int, window: int) -> tuple[int, tuple[bool, ...]]:
    """
    The sliding window and the layers it holds for.

    Only where the header names the layers: how often a full layer comes otherwise lies in the engine's code, and
    full attention everywhere, which is assumed then, is never too little.
    """
    pattern = pairs.get(f"{architecture}.attention.sliding_window_pattern")
    if not window or not isinstance(pattern, tuple):
        return 0, ()
    return window, tuple(bool(each) for each in (*pattern, *([0] * layers))[:layers])


def _parts(pairs: dict[str, Value]) -> int:
    said = pairs.get("split.count")
    return int(said) if isinstance(said, int) and said > 0 else 1


def _state_bytes(number: Callable[[str], int], layers: int, tensors: Tensors) -> int:
    """Convolution and SSM state of all recurrent layers for one sequence, in 32-bit floats."""
    recurrent = sum(1 for index in range(layers) if b"blk.%d.ssm_conv1d.weight" % index in tensors)
    if not recurrent:
        return 0
    inner, state, groups = number("ssm.inner_size"), number("ssm.state_size"), number("ssm.group_count")
    convolution = max(0, number("ssm.conv_kernel") - 1) * (inner + 2 * groups * state)
    return 4 * recurrent * (convolution + inner * state)
