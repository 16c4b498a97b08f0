"""
Raw bytes of a log as text that is safe to show: secrets hidden, and nothing in it that commands a terminal.

Secrets are looked for in what remains when everything invisible is gone, so that nothing put between their characters
keeps them from being found. Pure: bytes in, text out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

HIDDEN = "‹hidden›"
CONTEXT = 4096
"""Bytes before and after a piece that should be known for a secret across its edge to be found."""

_SHORTEST = 6
_PART = 4
_MARKS = (HIDDEN, "•••")  # the second for the secret that is the word in the first
_COLOUR = rb"\x1b\[[0-9;:]*m"
_COLOUR_TEXT = re.compile(_COLOUR.decode())
_INVISIBLE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]?"
    rb"|(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])[^\x07\x1b\n]*(?:\x07|\x1b\\|\xc2\x9c)?"
    rb"|\xc2\x9b[0-?]*[ -/]*[@-~]?"
    rb"|\x1b[ -/]+[0-~]?|\x1b[0-~]?"
    rb"|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]"
    rb"|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0\xa6-\xa9]|\xef\xbb\xbf"
)
_IN_COLOUR = re.compile(_COLOUR)
_KEPT = re.compile(rb"\r|" + _COLOUR + rb"|\xe2\x80\x8d")
_PROGRESS = re.compile(r"[^\r\n]*\r(?!\n)(?:[^\r\n]*\r(?!\n))*")
_VALUE = rb"[A-Za-z0-9._~+/=%-]{8,}"
_HINTS = (b"hf_", b"sk-", b"earer", b"uthorization", b"api-key", b"api_key")
_TOKENS = re.compile(
    rb"\b((?:hf_|sk-)[A-Za-z0-9_-]{12,})"
    rb"|(?i:\bbearer)(?:[ \t:=]|%20)+(?!(?i:authentication|authorization)\b)(" + _VALUE + rb")"
    rb"|(?i:\b(?:authorization|(?:x-)?api[-_]key))[\"']?[ \t]*[:=][ \t]*[\"']?"
    rb"(?:(?i:basic|bearer|token|digest|negotiate)[ \t]+)?([^\s\"',;]{4,})"
)
_FORMED = re.compile("[\x80-\x9f\u202a-\u202e\u2066-\u2069]")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class _Secret(NamedTuple):
    """A value to hide: as bytes, and the same where characters of it are percent-encoded or escaped as in JSON."""

    plain: bytes
    encoded: re.Pattern[bytes]


class Shown:
    """Makes text of bytes. ``secrets`` are never in it; those shorter than six characters would hide half the log."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
        cleaned = {_INVISIBLE.sub(b"", line.encode(errors="replace")) for line in lines}
        self._secrets = [_secret(each) for each in sorted(cleaned) if len(each) >= _SHORTEST]
        self._mark = next(m for m in _MARKS if not any(each.plain in m.encode() for each in self._secrets)).encode()

    def text(self, data: bytes, begin: int = 0, end: int | None = None, *, ends: bool = True) -> str:
        """
        ``data`` from ``begin`` to ``end``, without controls but colours and carriage returns; the rest is context.

        ``ends`` False says that more may follow ``data``: what may be the beginning of a secret is hidden too.
        """
        end = len(data) if end is None else end
        visible, gaps = _without_invisible(data)
        hidden = list(_merged(self._found(visible, ends=ends)))
        if not hidden and not gaps:
            return data[begin:end].decode(errors="replace")
        text = _rebuilt(data, begin, end, _raw_spans(hidden, gaps), gaps, self._mark).decode(errors="replace")
        # Taking something away can join the halves of a control; taking that away too could join a secret.
        return _FORMED.sub("\ufffd", text)

    def line(self, data: bytes, *, ends: bool = True) -> str:
        """One line in the state in which its last carriage return left it; colours are kept."""
        return last_state(self.text(data, ends=ends))

    def _found(self, data: bytes, *, ends: bool) -> Iterator[tuple[int, int]]:
        for secret in self._secrets:
            yield from _every(data, secret.plain)
            if b"%" in data or b"\\" in data:
                yield from (found.span() for found in secret.encoded.finditer(data))
            if not ends:
                yield from _beginning_at_end(data, secret.plain)
        lower = data.lower()
        if any(hint in lower for hint in _HINTS):
            yield from (found.span(found.lastindex or 0) for found in _TOKENS.finditer(data))


def last_state(line: str) -> str:
    """What a terminal leaves of a line of progress: what stands after its last carriage return."""
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1 :]


def without_colours(text: str) -> str:
    """What is left for reading of a text that was made here."""
    return _COLOUR_TEXT.sub("", text) if "\x1b" in text else text


def fewer_states(text: str) -> str:
    """``text`` with only the last state of each line of progress; what came before it may still need to be erased."""
    return _PROGRESS.sub(lambda found: _one_state(found[0]), text) if "\r" in text else text


def _one_state(text: str) -> str:
    before, _, state = text[:-1].rpartition("\r")
    return f"\r{state}\r" if before else text


def _secret(plain: bytes) -> _Secret:
    text = plain.decode(errors="replace")
    return _Secret(plain, re.compile(b"".join(_spelled(each) for each in text)))


def _spelled(character: str) -> bytes:
    """A pattern for every way to write one character."""
    raw = character.encode(errors="replace")
    ways: set[bytes] = {
        re.escape(raw),
        b"(?i:" + b"".join(b"%%%02x" % byte for byte in raw) + b")",
        b"(?i:" + re.escape(_json_unicode(character)) + b")",
        re.escape(json.dumps(character)[1:-1].encode()),
        re.escape(_SHORT_ESCAPES.get(character, character).encode(errors="replace")),
    }
    if character == " ":
        ways.add(rb"\+")
    return b"(?:" + b"|".join(sorted(ways, reverse=True)) + b")"


def _json_unicode(character: str) -> bytes:
    units = character.encode("utf-16-be", errors="replace")
    return b"".join(b"\\u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2))


def _every(data: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(text)
    while at >= 0:
        yield at, at + len(text)
        at = data.find(text, at + 1)


def _beginning_at_end(data: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    for length in range(min(len(text) - 1, len(data)), _PART - 1, -1):
        if data.endswith(text[:length]):
            yield len(data) - length, len(data)
            return


def _merged(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that overlap as one, in order."""
    begin = end = -1
    for first, last in sorted(spans):
        if first < end:
            end = max(end, last)
            continue
        if end > 0:
            yield begin, end
        begin, end = first, last
    if end > 0:
        yield begin, end


def _without_invisible(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """What is seen of ``data``, and where in it the rest was."""
    gaps = [found.span() for found in _INVISIBLE.finditer(data)]
    return (_INVISIBLE.sub(b"", data) if gaps else data), gaps


def _raw_spans(spans: list[tuple[int, int]], gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans of visible bytes as spans of all bytes."""
    found: list[tuple[int, int]] = []
    skipped, at = 0, 0

    def raw(position: int) -> int:
        nonlocal skipped, at
        while at < len(gaps) and gaps[at][0] - skipped <= position:
            skipped += gaps[at][1] - gaps[at][0]
            at += 1
        return position + skipped

    for begin, end in spans:
        first = raw(begin)
        found.append((first, raw(end - 1) + 1))
    return found


def _rebuilt(
    data: bytes, begin: int, end: int, hidden: list[tuple[int, int]], gaps: list[tuple[int, int]], mark: bytes
) -> bytes:
    """``data`` from ``begin`` to ``end`` with a mark for what is hidden and of the gaps only what may be kept."""
    pieces: list[bytes] = []
    position = begin
    cuts = sorted([*((first, last, True) for first, last in hidden), *((first, last, False) for first, last in gaps)])
    for first, last, secret in cuts:
        if last <= position and not (secret and first >= begin):
            if not secret and begin <= first and last <= end and _IN_COLOUR.fullmatch(data, first, last):
                pieces.append(data[first:last])  # a colour inside a secret goes on after it
            continue
        if first >= end:
            break
        pieces.append(data[position : max(position, first)])
        if secret:
            pieces.append(mark if first >= begin else b"")
        elif first >= begin and last <= end and _KEPT.fullmatch(data, first, last):
            pieces.append(data[first:last])
        position = max(position, last)
    pieces.append(data[position:end])
    return b"".join(pieces)
