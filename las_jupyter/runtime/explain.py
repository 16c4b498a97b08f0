"""Why a start failed, in one sentence, from the log and the exit."""

from __future__ import annotations

import re
import time

from las_jupyter.core.advice import their_words
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Failure, LaunchSpec
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Trust
from las_jupyter.logs.patterns import LONGEST_LINE, too_slow
from las_jupyter.logs.reader import LogReader

_LOOKED_AT = 400
_SHOWN = 12
_LONGEST_LOOK = 2.0
"""Seconds; 400 lines and a manifest's rows need a few thousandths, and nobody waits longer for a better word."""


def explain(spec: LaunchSpec, snapshot: Snapshot, log: LogReader) -> LaunchFailed:
    """The error a person reads when ``spec`` ended before it was ready."""
    tail = log.tail(_LOOKED_AT)
    known = match(spec.failures, tail)
    shown = tuple(f"| {line}" for line in tail[-_SHOWN:] if line.strip())
    reason = snapshot.reason
    remedy = f"%las logs {spec.name} --tail 200"
    if known is not None and spec.manifest is not None and spec.manifest.trust is Trust.UNTRUSTED:
        reason = f"{reason}; {their_words('; '.join(known))}"
    elif known is not None:
        reason, remedy = known
    return LaunchFailed(f"{spec.name} did not start.", cause=reason, remedy=remedy, details=shown)


def match(failures: tuple[Failure, ...], lines: list[str]) -> tuple[str, str] | None:
    """
    Meaning and remedy of the first row whose pattern a line matches; groups fill ``{1}``, ``{2}``…

    Lines and patterns may be strangers' both, so the beginnings of lines are searched, and not for ever.
    """
    end = time.monotonic() + _LONGEST_LOOK
    beginnings = [line[:LONGEST_LINE] for line in lines]
    for failure in failures:
        if too_slow(failure.pattern):
            continue  # a spec that was written before patterns were checked
        pattern = re.compile(failure.pattern)
        for line in beginnings:
            found = pattern.search(line)
            if time.monotonic() >= end:
                return None
            if found:
                return _fill(failure.meaning, found), _fill(failure.remedy, found)
    return None


def _fill(text: str, found: re.Match[str]) -> str:
    for index, group in enumerate(found.groups(), 1):
        text = text.replace(f"{{{index}}}", group or "")
    return text
