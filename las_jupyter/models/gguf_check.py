"""
Whether a file is a whole GGUF, by its header alone: right magic, right version, and long enough for its tensors.

Reads the header once and no weights, so a 40 GB file costs as much as a small one. A download that stopped
early and a web page saved under the name of a model are found here, before anything is launched.
"""

from __future__ import annotations

import mmap
import struct
from functools import lru_cache
from pathlib import Path

from las_jupyter.core.errors import InvalidModel
from las_jupyter.resources.ggml_types import BLOCKS as BLOCKS
from las_jupyter.state.files import plain

_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UINT32, _STRING, _ARRAY = 4, 8, 9


_DIMENSIONS_AT_MOST = 8


class _TooShort(Exception):
    """The file ends inside its own header."""


class _Senseless(Exception):
    """The header says what no model can be; the message says what."""


def check_gguf(path: str | Path) -> None:
    """
    Return if ``path`` can be a complete GGUF file; raise ``InvalidModel`` saying what is wrong with it.

    A file that was found good is read again only when it changed: a plan asks more than once.
    """
    path = Path(path)
    try:
        now = path.stat()
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read.", cause=error.strerror or str(error)) from error
    _check(path, now.st_size, (now.st_dev, now.st_ino, now.st_mtime_ns, now.st_ctime_ns))


@lru_cache(maxsize=64)
def _check(path: Path, size: int, edition: tuple[int, ...]) -> None:  # noqa: ARG001 - a key; an error is not kept
    try:
        with open(path, "rb", opener=plain) as file:
            start = file.read(8)
            if start[:4] != b"GGUF":
                raise _not_gguf(path, start)
            if len(start) < 8:
                raise _truncated(path, size, None)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                needed = _Header(view).needed_bytes(path)
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read.", cause=error.strerror or str(error)) from error
    except _TooShort:
        raise _truncated(path, size, None) from None
    except _Senseless as error:
        raise InvalidModel(
            f"The header of {path} is damaged.", cause=str(error), remedy="download the model again"
        ) from None
    if size < needed:
        raise _truncated(path, size, needed)


class _Header:
    """A reader that walks a GGUF header from its first byte."""

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view
        self._at = 4

    def needed_bytes(self, path: Path) -> int:
        """How long the file must be for its last tensor to be inside."""
        version = self._number("<I")
        if not 2 <= version <= 3:
            raise InvalidModel(
                f"{path} is GGUF version {version}, which llama.cpp no longer reads.",
                remedy="download a newer conversion of the model",
            )
        tensors, pairs = self._number("<Q"), self._number("<Q")
        alignment = 32
        for _ in range(pairs):
            key = self._string()
            kind = self._number("<I")
            if key == b"general.alignment" and kind == _UINT32:
                alignment = self._number("<I") or alignment
            else:
                self._skip(kind)
        furthest = max((self._tensor_end() for _ in range(tensors)), default=0)
        return -(-self._at // alignment) * alignment + furthest if furthest else self._at

    def _tensor_end(self) -> int:
        self._string()
        weights = 1
        dimensions = self._number("<I")
        if dimensions > _DIMENSIONS_AT_MOST:
            raise _Senseless(f"a tensor has {dimensions:,} dimensions")
        for _ in range(dimensions):
            weights *= self._number("<Q")
        # A type of tomorrow counts one byte: never call a good file short.
        per_block, block_bytes = BLOCKS.get(self._number("<I"), (max(weights, 1), 1))
        return self._number("<Q") + weights // per_block * block_bytes

    def _number(self, form: str) -> int:
        try:
            (value,) = struct.unpack_from(form, self._view, self._at)
        except struct.error:
            raise _TooShort from None
        self._at += struct.calcsize(form)
        return int(value)

    def _string(self) -> bytes:
        length = self._number("<Q")
        self._move(length)
        return self._view[self._at - length : self._at]

    def _move(self, count: int) -> None:
        self._at += count
        if self._at > len(self._view):
            raise _TooShort

    def _skip(self, kind: int) -> None:
        if kind == _STRING:
            self._string()
        elif kind == _ARRAY:
            item, count = self._number("<I"), self._number("<Q")
            if item in _SCALAR_BYTES:
                self._move(_SCALAR_BYTES[item] * count)
                return
            if item == _STRING:
                self._skip_strings(count)
                return
            raise _Senseless(f"a list is of the unknown type {item}")
        elif kind in _SCALAR_BYTES:
            self._move(_SCALAR_BYTES[kind])
        else:
            raise _TooShort

    def _skip_strings(self, count: int) -> None:
        """A vocabulary of 200,000 words is nearly all of a header: one loop without calls of ours, for every plan."""
        view, at, end, length_at = self._view, self._at, len(self._view), struct.Struct("<Q").unpack_from
        try:
            for _ in range(count):
                at += 8 + length_at(view, at)[0]
                if at > end:
                    raise _TooShort
        except struct.error:
            raise _TooShort from None
        self._at = at


def _not_gguf(path: Path, start: bytes) -> InvalidModel:
    looks = start.lstrip().lower()
    if not start:
        cause = "the file is empty"
    elif looks.startswith((b"<!", b"<html", b"<?xml")):
        cause = "it is a web page, most likely an error page saved under the model's name"
    elif start.startswith(b"version "):
        cause = "it is a Git LFS pointer; the weights were not fetched"
    else:
        cause = f"it begins with {start[:4]!r}, not with b'GGUF'"
    remedy = "run git lfs pull" if start.startswith(b"version ") else "download the model again"
    return InvalidModel(f"{path} is not a GGUF model.", cause=cause, remedy=remedy)


def _truncated(path: Path, size: int, needed: int | None) -> InvalidModel:
    has = f"{size:,} bytes"
    cause = f"it has {has}, and its header alone is longer" if needed is None else f"it has {has} of {needed:,}"
    return InvalidModel(f"{path} is incomplete.", cause=cause, remedy="download the model again")
