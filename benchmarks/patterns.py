"""
What the patterns of the bundled manifests cost on the worst lines that can be made for them.

``python benchmarks/patterns.py [MANIFEST…]`` searches lines of 2,000 and of 32,000 letters, made from each pattern's
own words, and shows the dearest. It ends with 1 when a pattern takes more than four times its share for the longer
line: then a log could hold up whoever looks through it. Other manifests than the bundled ones may be named.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from las_jupyter.manifests.catalog import bundled
from las_jupyter.manifests.load import load_manifest
from las_jupyter.manifests.schema import Manifest

SHORT, LONG = 2_000, 32_000
MOST_GROWTH = 4 * LONG / SHORT
"""A linear search takes 16 times as long, a quadratic one 256 times."""
TOO_SMALL = 0.004
"""Seconds of processor time; below it the clock is not worth comparing."""
FILLERS = ("", "a", "1", " ", "/", "(", "'", '"', ".", ":", "=", ",", "a1 ", "(1/", "x: ", "1.5 ")


class Cost(NamedTuple):
    """The dearest line for one pattern: seconds for the long one, and how many times those for the short one."""

    seconds: float
    growth: float
    module: str
    pattern: str
    line: str


def patterns(manifest: Manifest) -> Iterator[str]:
    """Every regular expression of a manifest."""
    yield from (row.pattern for row in (*manifest.phases, *manifest.failures))
    yield from (text for text in (manifest.health.ready.log, manifest.health.live.log) if text)
    if manifest.identity:
        yield manifest.identity.pattern


def lines(pattern: str) -> Iterator[str]:
    """Pieces to repeat: beginnings of what matches, again and again, and what may fill the room between them."""
    words = list(_words(parser.parse(pattern), ""))
    for count in range(len(words) + 1):
        begun = words[:count]
        for filler in FILLERS:
            yield filler.join(begun) + filler
            yield "".join(begun[:-1]) + filler + (begun[-1] if begun else "")


def _words(items: Any, word: str) -> Iterator[str]:
    """The runs of letters that a pattern asks for, in their order; of a set of letters one that it holds."""
    for op, argument in items:
        if op is codes.LITERAL:
            word += chr(argument)
            continue
        if word:
            yield word
            word = ""
        if op is codes.SUBPATTERN:
            yield from _words(argument[3], "")
        elif op is codes.BRANCH:
            for side in argument[1]:
                yield from _words(side, "")
        elif op in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            yield from _words(argument[2], "")
    if word:
        yield word


def cost(module: str, pattern: str) -> Cost:
    """The dearest of all lines for ``pattern``."""
    compiled = re.compile(pattern)
    worst = Cost(0.0, 0.0, module, pattern, "")
    for piece in {each for each in lines(pattern) if each}:
        for tail in ("", "!"):
            long = _seconds(compiled, _line(piece, tail, LONG))
            if long > max(TOO_SMALL, worst.seconds):
                # The better of several: other programs must not look like this pattern.
                long = min(long, *(_seconds(compiled, _line(piece, tail, LONG)) for _ in range(2)))
                short = min(_seconds(compiled, _line(piece, tail, SHORT)) for _ in range(5))
                worst = max(worst, Cost(long, long / max(short, 1e-7), module, pattern, piece))
    return worst


def _line(piece: str, tail: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length] + tail


def _seconds(compiled: re.Pattern[str], line: str) -> float:
    begun = time.process_time()
    compiled.search(line)
    return time.process_time() - begun


def main(files: list[str]) -> int:
    """Print the dearest patterns; 1 when one of them is super-linear."""
    manifests = [load_manifest(Path(file)) for file in files] or [entry.manifest for entry in bundled()]
    costs = sorted((cost(each.name, pattern) for each in manifests for pattern in patterns(each)), reverse=True)
    bad = [each for each in costs if each.seconds > TOO_SMALL and each.growth > MOST_GROWTH]
    print(f"{len(costs)} patterns, lines of {SHORT:,} and {LONG:,} letters; {len(bad)} super-linear")
    print(f"{'ms':>8}{'growth':>8}  pattern")
    for each in bad or costs[:5]:
        print(f"{each.seconds * 1000:8.1f}{each.growth:8.1f}  {each.module}: {each.pattern}  ({each.line[:40]!r}…)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
