"""Write ``js/src/generated/wire.ts`` from ``widgets.wire``: ``python -m las_jupyter.widgets.generate_types``."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from las_jupyter.widgets import wire

TARGET = Path(__file__).parents[2] / "js" / "src" / "generated" / "wire.ts"
_PLAIN: dict[Any, str] = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def _typescript(hint: Any) -> str:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) is Literal:
        return " | ".join(f'"{each}"' for each in get_args(hint))
    if get_origin(hint) is types.UnionType:
        return " | ".join(_typescript(each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        return f"readonly {_typescript(get_args(hint)[0])}[]"
    return str(hint.__name__)


def generated() -> str:
    """The TypeScript text."""
    parts = ["// Generated from las_jupyter/widgets/wire.py; do not edit.\n"]
    parts.append(f"export type Light = {_typescript(wire.Light)};\n")
    for kind in (wire.Reason, wire.Card):
        hints = get_type_hints(kind)
        fields = [
            f"  readonly {name}: {'Light' if hint == wire.Light else _typescript(hint)};"
            for name, hint in hints.items()
        ]
        parts.append("\n".join([f"export interface {kind.__name__} {{", *fields, "}\n"]))
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(generated())
