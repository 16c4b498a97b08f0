"""Why a start failed, in one sentence, from the log and the exit."""

from __future__ import annotations

import itertools
import re

from las_jupyter.core.advice import word
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Failure, LaunchSpec
from las_jupyter.core.lifecycle import OPEN
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.logs.reader import LogReader

_LOOKED_AT = 400
_SHOWN = 12
_ALL_ADDRESSES = ("0.0.0.0", "::", "*")  # noqa: S104 - looked for
_ENDINGS = tuple(f"={address}" for address in _ALL_ADDRESSES)


def explain(spec: LaunchSpec, snapshot: Snapshot, log: LogReader) -> LaunchFailed:
    """The error a person reads when ``spec`` ended before it was ready."""
    tail = log.tail(_LOOKED_AT)
    known = match(spec.failures, tail)
    shown = tuple(f"| {line}" for line in tail[-_SHOWN:] if line.strip())
    reason = snapshot.reason
    remedy = f"%las logs {spec.name} --tail 200"
    if OPEN in snapshot.reason:
        cure = _opens(spec.argv)
        first = f"leave out {cure}" if cure else f"%las plan {word(spec.module)} shows what it is told"
        remedy = f"{first}; --expose opens it to the network on purpose"
    elif known is not None:
        reason, remedy = known
    return LaunchFailed(f"{spec.name} did not start.", cause=reason, remedy=remedy, details=shown)


def _opens(argv: tuple[str, ...]) -> str:
    """The argument that names all addresses, with the option before it; empty where none does so plainly."""
    for before, each in itertools.pairwise(("", *argv)):
        if each in _ALL_ADDRESSES:
            return f"{word(before)} {word(each)}"
        if each.endswith(_ENDINGS) or (" " in each and each.split()[-1] in _ALL_ADDRESSES):
            return word(each)
    return ""


def match(failures: tuple[Failure, ...], lines: list[str]) -> tuple[str, str] | None:
    """Meaning and remedy of the first row whose pattern a line matches; groups fill ``{1}``, ``{2}``…"""
    for failure in failures:
        pattern = re.compile(failure.pattern)
        for line in lines:
            found = pattern.search(line)
            if found:
                return _fill(failure.meaning, found), _fill(failure.remedy, found)
    return None


def _fill(text: str, found: re.Match[str]) -> str:
    for index, group in enumerate(found.groups(), 1):
        text = text.replace(f"{{{index}}}", group or "")
    return text
