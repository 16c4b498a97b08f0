"""
What a folder of safetensors says about the memory a model needs: its weights by their headers, its shape by its config.

Of each file the length and the header are read and no weight; every length is bounded before it is believed.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from las_jupyter.core.errors import InvalidModel
from las_jupyter.resources.model_config import Attention, read_attention
from las_jupyter.state.files import plain

# The largest known are a fifth of it: some hundred bytes a tensor, and models of many tensors come in many files.
_HEADER_AT_MOST = 8 * 2**20
_JSON_AT_MOST = 32 * 2**20  # an index names each tensor of all files, a config is a few kilobytes
_FILES_AT_MOST = 1000
_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16,
    "U16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8, "F6_E2M3": 6, "F6_E3M2": 6,
    "F4": 4,
}  # fmt: skip


class SafetensorsFacts(NamedTuple):
    """
    What memory depends on: ``bytes_by_type`` of all weights, how many numbers they are, and the model's attention.

    ``attention`` is None where there is no config.json that says it. Packed numbers (GPTQ, AWQ) count as one.
    """

    bytes_by_type: dict[str, int]
    parameters: int
    files: int
    attention: Attention | None = None

    @property
    def weights(self) -> int:
        """All weights in bytes."""
        return sum(self.bytes_by_type.values())


class _Broken(Exception):
    """The file cannot be; the message says why."""


def read_safetensors(path: str | Path) -> SafetensorsFacts:
    """
    The facts of one file, or of a folder with one file or an index of several.

    Raises ``InvalidModel`` when a file is missing, cut off, or says nothing that makes sense.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    bytes_by_type: dict[str, int] = {}
    parameters = 0
    files = _files(path)
    for file in files:
        for kind, count, size in _sums(file):
            bytes_by_type[kind] = bytes_by_type.get(kind, 0) + size
            parameters += count
    return SafetensorsFacts(bytes_by_type, parameters, len(files), _attention(folder / "config.json"))


def _sums(file: Path) -> tuple[tuple[str, int, int], ...]:
    """Type, count of numbers and bytes of all weights of one file; one that did not change is not read again."""
    try:
        found = file.stat()
    except OSError as error:
        raise InvalidModel(f"{file} cannot be read.", cause=error.strerror or str(error)) from error
    return _kept(file, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=_FILES_AT_MOST)
def _kept(file: Path, edition: tuple[int, ...]) -> tuple[tuple[str, int, int], ...]:  # noqa: ARG001 - a key
    sums: dict[str, tuple[int, int]] = {}
    for kind, count, size in _tensors(file):
        before = sums.get(kind, (0, 0))
        sums[kind] = (before[0] + count, before[1] + size)
    return tuple((kind, count, size) for kind, (count, size) in sums.items())


def _files(path: Path) -> list[Path]:
    """The files that make the model."""
    if not path.is_dir():
        return [path]
    index = path / "model.safetensors.index.json"
    if index.exists():
        return [path / name for name in _names(index)]
    found = sorted(path.glob("*.safetensors"))
    if not found:
        raise InvalidModel(f"{path} holds no .safetensors file.", remedy="give the folder that has the weights")
    whole = path / "model.safetensors"
    # Some folders have the same weights a second time in the maker's own format.
    return [whole] if whole in found else found[:_FILES_AT_MOST]


def _names(index: Path) -> list[str]:
    try:
        table = _json(index).get("weight_map")
        if not isinstance(table, dict) or not table:
            raise _Broken("it has no weight_map")
        names = {name for name in table.values() if isinstance(name, str)}
        if len(names) > _FILES_AT_MOST:
            raise _Broken(f"it names {len(names)} files")
        for name in names:
            if Path(name).name != name or name in ("", ".", "..") or "\0" in name:
                raise _Broken(f"it names {name[:80]!r}, which is no file beside it")
    except _Broken as error:
        raise InvalidModel(
            f"The index {index} makes no sense.", cause=str(error), remedy="download the model again"
        ) from error
    return sorted(names)


def _attention(config: Path) -> Attention | None:
    """What config.json says; None where it is missing or says too little: the engine may know more."""
    try:
        return read_attention(_json(config))
    except (_Broken, InvalidModel):
        return None


def _json(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb", opener=plain) as file:
            text = file.read(_JSON_AT_MOST + 1)
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read.", cause=error.strerror or str(error)) from error
    if len(text) > _JSON_AT_MOST:
        raise _Broken(f"it is longer than {_JSON_AT_MOST // 2**20} MiB")
    return _object(text)


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Broken("it is no JSON") from error
    if not isinstance(value, dict):
        raise _Broken("it is no JSON object")
    return value


def _tensors(path: Path) -> list[tuple[str, int, int]]:
    """Type, count of numbers and bytes of each tensor of one file."""
    try:
        with open(path, "rb", buffering=0, opener=plain) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(8)
            if len(head) < 8:
                raise _Broken("it ends before its header")
            (length,) = struct.unpack("<Q", head)
            if length > min(size - 8, _HEADER_AT_MOST):
                raise _Broken(f"its header claims {length} bytes, of a file of {size}")
            text = file.read(length)
        if len(text) < length:
            raise _Broken("it ends inside its header")
        return _table(_object(text), size - 8 - length)
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read.", cause=error.strerror or str(error)) from error
    except _Broken as error:
        raise InvalidModel(
            f"The header of {path} is damaged or cut off.", cause=str(error), remedy="download the model again"
        ) from error


def _table(header: dict[str, Any], data: int) -> list[tuple[str, int, int]]:
    found, spans = [], []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, count, begin, end = _entry(name, entry)
        if end > data:
            raise _Broken(f"{name[:80]} ends behind the file, which is cut off")
        spans.append((begin, end, name))
        found.append((kind, count, end - begin))
    spans.sort()
    for (_, end, name), (begin, _, other) in itertools.pairwise(spans):
        if begin < end:
            raise _Broken(f"{name[:80]} and {other[:80]} lie over each other")
    return found


def _entry(name: str, entry: Any) -> tuple[str, int, int, int]:
    try:
        kind, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise _Broken(f"{name[:80]} has no dtype, shape and data_offsets") from error
    numbers = [begin, end, *shape] if isinstance(shape, list) and len(shape) <= 16 else [None]
    if not isinstance(kind, str) or any(type(each) is not int or not 0 <= each < 2**48 for each in numbers):
        raise _Broken(f"{name[:80]} has an impossible shape or place")
    count = math.prod(shape)
    if end < begin or (kind in _BITS and -(-count * _BITS[kind] // 8) != end - begin):
        raise _Broken(f"{name[:80]} of shape {shape} has {end - begin} bytes")
    return kind, count, begin, end
