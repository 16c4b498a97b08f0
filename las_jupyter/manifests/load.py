"""Reading a manifest file; what is wrong is named by file, line, field and the nearest valid word."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidManifest
from las_jupyter.settings.yaml_file import LARGEST, Document, Unreadable, parse_yaml
from las_jupyter.state.files import read_plain

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest
    from las_jupyter.settings.complaints import Complaint

_SHOWN = 12


def load_manifest(path: str | Path) -> Manifest:
    """The manifest in ``path``. Raises ``InvalidManifest``."""
    return parse_manifest(read_file(path), str(path))


def read_file(path: str | Path) -> bytes:
    """The bytes of ``path``. Raises ``InvalidManifest``."""
    try:
        return read_plain(str(path), LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidManifest(f"{path} cannot be read.", cause=reason, remedy="check the path") from error


def parse_manifest(data: bytes, path: str) -> Manifest:
    """The manifest in ``data``; ``path`` is for the error. Raises ``InvalidManifest``."""
    from pydantic import ValidationError

    from las_jupyter.manifests import check
    from las_jupyter.manifests.schema import Manifest
    from las_jupyter.settings.complaints import Complaint, complaints

    document = _document(data, path)
    content = document.content
    if not isinstance(content, dict):
        raise InvalidManifest(f"{path} is no manifest.", cause="the file is not a table of keys and values")
    if isinstance(content.get("version"), (int, float)):
        content["version"] = document.written("version")
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise _explained(complaints(error, Manifest), document, path) from None
    found = [Complaint(problem.at, problem.text) for problem in check.problems(manifest)]
    if found:
        raise _explained(found, document, path)
    _check_integrity(manifest, data, document, path)
    return manifest


def _document(data: bytes, path: str) -> Document:
    try:
        return parse_yaml(data)
    except Unreadable as problem:
        where = f", line {problem.line}," if problem.line else ""
        raise InvalidManifest(
            f"{path}{where} cannot be read as YAML.", cause=problem.reason, remedy=f"mend {word(path)}"
        ) from None


def _explained(found: list[Complaint], document: Document, path: str) -> InvalidManifest:
    lines = sorted((document.line(each.at), f"{each.field}: {each.text}") for each in found)
    told = [f"line {line}, {text}" for line, text in lines]
    more = (f"and {len(told) - _SHOWN} more",) if len(told) > _SHOWN else ()
    return InvalidManifest(
        f"{path} breaks the manifest schema{f' in {len(told)} places' if len(told) > 1 else ''}.",
        cause=told[0],
        details=(*told[1:_SHOWN], *more),
        remedy=f"mend {word(path)}, line {lines[0][0]:d}",
    )


def own_checksum(data: bytes) -> str:
    """The checksum of a manifest's text without the value of ``integrity.checksum``. Raises ``Unreadable``."""
    return _own_checksum(data, parse_yaml(data))


def _own_checksum(data: bytes, document: Document) -> str:
    text = data.decode("utf-8-sig")
    span = document.span(("integrity", "checksum"))
    if span is not None:
        text = text[: span[0]] + text[span[1] :]
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _check_integrity(manifest: Manifest, data: bytes, document: Document, path: str) -> None:
    given = manifest.integrity.checksum if manifest.integrity else None
    if given is None:
        return
    line = document.line(("integrity", "checksum"))
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", given):
        raise InvalidManifest(
            f"{path}, line {line}: integrity.checksum is no checksum.",
            cause=f"{given[:80]!r} is not sha256: and 64 hexadecimal digits",
            remedy="remove it, or ask the author of the file",
        )
    actual = _own_checksum(data, document)
    if actual != given:
        raise InvalidManifest(
            f"{path} is not the file its author signed off.",
            cause=f"line {line}, integrity.checksum says {given[:23]}…, and the content is {actual[:23]}…",
            remedy=f"get the file again; if you changed it yourself, write {word(actual)}",
        )
