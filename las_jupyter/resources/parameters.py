"""How many parameters a model in safetensors files has, packed weights unpacked; headers are read and no weight."""

from __future__ import annotations

import json
import math
from pathlib import Path

from las_jupyter.state.files import plain, read_plain

_HEADER_AT_MOST = 128 * 2**20
_FILES_AT_MOST = 2000
_CONFIG_AT_MOST = 16 * 2**20
_PACKED_BITS = 4
"""Of GPTQ and AWQ, whose 32-bit words hold several weights each, where the configuration does not say."""


def count_parameters(folder: str | Path) -> int | None:
    """The parameters of all ``*.safetensors`` in ``folder``; None when there is none, or one cannot be understood."""
    try:
        files = sorted(Path(folder).glob("*.safetensors"))[:_FILES_AT_MOST]
        return sum(_of_file(file, _bits(Path(folder))) for file in files) if files else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _of_file(path: Path, bits: int) -> int:
    with open(path, "rb", opener=plain) as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= _HEADER_AT_MOST:
            raise ValueError("no header")
        header = json.loads(file.read(length))
    return sum(_of_tensor(name, row, bits) for name, row in header.items() if name != "__metadata__")


def _of_tensor(name: str, row: dict[str, object], bits: int) -> int:
    shape = row["shape"]
    if not isinstance(shape, list) or not all(type(each) is int and 0 <= each < 2**40 for each in shape):
        raise ValueError("no shape")
    count = math.prod(shape)
    if name.endswith((".qweight", ".weight_packed")) and row.get("dtype") == "I32":
        return count * (32 // bits)
    # Scales and zero points of a quantised matrix are no parameters of the model.
    return 0 if name.endswith((".qzeros", ".scales", ".g_idx", ".weight_scale", ".weight_shape")) else count


def _bits(folder: Path) -> int:
    try:
        said = json.loads(read_plain(str(folder / "config.json"), _CONFIG_AT_MOST))["quantization_config"]["bits"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return _PACKED_BITS
    return said if said in (1, 2, 3, 4, 8, 16) else _PACKED_BITS
