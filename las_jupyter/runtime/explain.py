"""Why a start failed, in one sentence, from the log and the exit."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable

from las_jupyter.core.advice import argument, word
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Failure, LaunchSpec
from las_jupyter.core.lifecycle import OPEN
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Trust
from las_jupyter.display.words import one_line
from las_jupyter.logs.patterns import too_slow
from las_jupyter.logs.reader import LogReader
from las_jupyter.logs.scan import LONGEST_LINE

_LOOKED_AT = 400
_SHOWN = 12
_LONGEST_GROUP = 200
"""Characters of the log in a sentence or a command; a path is shorter, and what is longer is not read."""
_HARMLESS = re.compile(r"[A-Za-z0-9_./-][A-Za-z0-9_%+,./:=@-]*")
_LONGEST_LOOK = 2.0
"""Seconds; 400 lines and a manifest's rows need a few thousandths, and nobody waits longer for a better word."""
_ALL_ADDRESSES = ("0.0.0.0", "::", "*")  # noqa: S104 - looked for
_ENDINGS = tuple(f"={address}" for address in _ALL_ADDRESSES)


def explain(spec: LaunchSpec, snapshot: Snapshot, log: LogReader) -> LaunchFailed:
    """The error a person reads when ``spec`` ended before it was ready."""
    tail = log.tail(_LOOKED_AT)
    shown = tuple(f"| {line}" for line in tail[-_SHOWN:] if line.strip())
    reason, remedy = snapshot.reason, ""
    if OPEN in snapshot.reason:
        cure = _opens(spec.argv)
        first = f"leave out {cure}" if cure else f"%las plan {word(_reference(spec))} shows what it is told"
        remedy = f"{first}; --expose opens it to the network on purpose"
    else:
        reason, remedy = match(spec.failures, tail) or (reason, remedy)
    remedy = remedy or f"%las logs {word(spec.name)} --tail 200"
    return LaunchFailed(f"{spec.name} did not start.", cause=reason, remedy=remedy, details=shown)


def _reference(spec: LaunchSpec) -> str:
    """How a person names its module: what does not come with us may have been named by its file only."""
    return spec.manifest.path if spec.manifest and spec.manifest.trust is not Trust.BUNDLED else spec.module


def _opens(argv: tuple[str, ...]) -> str:
    """The argument that names all addresses, with the option before it; empty where none does so plainly."""
    for before, each in itertools.pairwise(("", *argv)):
        if each in _ALL_ADDRESSES:
            return f"{argument(before)} {argument(each)}"
        if each.endswith(_ENDINGS) or (" " in each and each.split()[-1] in _ALL_ADDRESSES):
            return argument(each)
    return ""


def match(failures: tuple[Failure, ...], lines: list[str]) -> tuple[str, str] | None:
    """
    Meaning and remedy of the first row whose pattern a line matches; groups fill ``{1}``, ``{2}``…

    Whatever the manifest, a line of the log may be a stranger's: a model's file or a client can have it written.
    Patterns may be strangers' too, so the beginnings of lines are searched, and not for ever.
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
                return _fill(failure.meaning, found, _told), _fill(failure.remedy, found, _advised)
    return None


def _fill(text: str, found: re.Match[str], write: Callable[[str], str]) -> str:
    """``text`` with its groups, each written once: what a group says is not looked through for another's number."""
    groups = dict(enumerate(found.groups(default=""), 1))
    return re.sub(r"\{(\d+)\}", lambda mark: write(groups.get(int(mark[1]), "")), text)


def _told(group: str) -> str:
    return one_line(group, _LONGEST_GROUP)


def _advised(group: str) -> str:
    """An option or a number as it is, anything else as one word in which nothing acts."""
    group = _told(group)
    return group if _HARMLESS.fullmatch(group) else word(group)
