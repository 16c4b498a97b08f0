"""
Write ``js/src/generated/wire.ts`` from the values that cross to the page.

Run as ``python -m las_jupyter.widgets.generate_types``; a test compares the file.
"""

from __future__ import annotations

import types
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from las_jupyter.core import light
from las_jupyter.widgets import messages, wire

TARGET = Path(__file__).parents[2] / "js" / "src" / "generated" / "wire.ts"

_PLAIN: dict[Any, str] = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
_CHOICES: tuple[type[Enum], ...] = (light.Light, light.Verb)
_VALUES: tuple[type, ...] = (
    light.Offer,
    wire.Reason,
    wire.Card,
    messages.Here,
    messages.OpenLog,
    messages.CloseLog,
    messages.Order,
    messages.LogPiece,
    messages.Ack,
    messages.Done,
    messages.Batch,
)
_ANY_OF: dict[str, Any] = {"FromPage": messages.FromPage, "Item": messages.Item}


def generated() -> str:
    """The TypeScript text."""
    parts = ["// Generated from las_jupyter/widgets and las_jupyter/core/light.py; do not edit.\n"]
    parts += [_choice(each) for each in _CHOICES]
    parts += [_interface(each) for each in _VALUES]
    parts += [f"export type {name} = {_typescript(hint)};\n" for name, hint in _ANY_OF.items()]
    return "\n".join(parts)


def _choice(kind: type[Enum]) -> str:
    """The words as a list, for the page goes through them, and as a type."""
    name, words = kind.__name__, ", ".join(f'"{each.value}"' for each in kind)
    return (
        f"export const {name.upper()}S = [{words}] as const;\nexport type {name} = (typeof {name.upper()}S)[number];\n"
    )


def _interface(kind: type) -> str:
    fields = [f"  readonly {name}: {_typescript(hint)};" for name, hint in get_type_hints(kind).items()]
    return "\n".join([f"export interface {kind.__name__} {{", *fields, "}\n"])


def _typescript(hint: Any) -> str:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) is Literal:
        return " | ".join(f'"{each}"' for each in get_args(hint))
    if get_origin(hint) in (types.UnionType, Union):
        return " | ".join(_typescript(each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        inner = _typescript(get_args(hint)[0])
        return f"readonly ({inner})[]" if " | " in inner else f"readonly {inner}[]"
    return str(hint.__name__)


if __name__ == "__main__":
    TARGET.write_text(generated())
