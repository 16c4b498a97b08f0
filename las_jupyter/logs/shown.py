"""
Raw bytes of a log as text that is safe to show: secrets hidden, and nothing in it that commands a terminal.

Secrets are looked for in what remains when everything invisible is gone, so that nothing put between their characters
keeps them from being found; a key of ASCII letters is looked for in the ASCII alone too, whatever marks stand between.
Most of a long secret counts as the secret, in any letter case, and so does its base64 or hex. Pure: bytes in, text out.
"""

from __future__ import annotations

import binascii
import functools
import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from las_jupyter.core.unseen import FORMATS, JOINERS, has_unseen

HIDDEN = "‹hidden›"
CONTEXT = 4096
"""Bytes before and after a piece that should be known for a secret across its edge to be found."""

_SHORTEST = 6
_PART = 4
_LONG = 16
"""A secret of so many letters was made, not chosen: most of it is the secret, and letter case makes no difference."""
_MOST = 0.8
"""Of a long secret, the share that gives it away: the rest of a key of 43 letters is guessed in no time."""
_A_LINE = 1024
_MARKS = (HIDDEN, "•••")  # the second for the secret that is the word in the first
_ORDINARY = bytes([*b"\t\n", *range(0x20, 0x7F), *range(0x80, 0x100)])
_NOT_ASCII = bytes(range(0x80, 0x100))
_COLOUR = rb"\x1b\[[0-9;:]*m"
_COLOUR_TEXT = re.compile(_COLOUR.decode())


def _utf8(ranges: tuple[tuple[int, int], ...]) -> bytes:
    """A pattern for the bytes of every character of ``ranges``."""
    lasts: dict[bytes, bytearray] = {}
    for first, last in ranges:
        for number in range(first, last + 1):
            raw = chr(number).encode()
            lasts.setdefault(raw[:-1], bytearray()).append(raw[-1])
    return b"|".join(re.escape(lead) + b"[" + re.escape(bytes(ends)) + b"]" for lead, ends in lasts.items())


_CONTROLS = (
    rb"\x1b\[[0-?]*[ -/]*[@-~]?"
    rb"|(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])[^\x07\x1b\n]*(?:\x07|\x1b\\|\xc2\x9c)?"
    rb"|\xc2\x9b[0-?]*[ -/]*[@-~]?"
    rb"|\x1b[ -/]+[0-~]?|\x1b[0-~]?"
    rb"|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]"
)
_INVISIBLE = re.compile(_CONTROLS)


@functools.cache
def _invisible_letters() -> re.Pattern[bytes]:
    """With the letters as well; made when first needed, since every supervisor loads this and few see such a letter."""
    return re.compile(_CONTROLS + b"|" + _utf8(FORMATS))


_IN_COLOUR = re.compile(_COLOUR)
_KEPT = re.compile(rb"\r|" + _COLOUR + b"|" + "|".join(JOINERS).encode())
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
_ENCODED = re.compile(rb"%[0-9A-Fa-f]{2}|\\[u/\"\\bfnrt]|&#")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class _Needle(NamedTuple):
    """
    A text to hide, in lower case where ``folded``. It is found by its middle ``[first:last]``, which every part of at
    least ``enough`` bytes contains, and the part goes as far as it agrees. ``coded``: in base64 or hex.
    """

    text: bytes
    middle: bytes
    first: int
    last: int
    enough: int
    folded: bool
    coded: bool = False

    def parts(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where it is in ``data``, or enough of it."""
        middle = self.middle
        at = data.find(middle)
        while at >= 0:
            begin, end, before, after = at, at + len(middle), self.first, self.last
            while before and begin and data[begin - 1] == self.text[before - 1]:
                begin, before = begin - 1, before - 1
            while after < len(self.text) and end < len(data) and data[end] == self.text[after]:
                end, after = end + 1, after + 1
            if end - begin >= self.enough:
                yield begin, end
            at = data.find(middle, at + 1)


class Shown:
    """Makes text of bytes. ``secrets`` are never in it; those shorter than six characters would hide half the log."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
        cleaned = {_without_invisible(line.encode(errors="replace"))[0] for line in lines}
        self._secrets = [each for each in sorted(cleaned) if len(each) >= _SHORTEST]
        self._needles = [needle for each in self._secrets for needle in _needles(each)]
        self._middles = _middles(each for each in self._needles if not each.coded)
        self._coded = _middles(each for each in self._needles if each.coded)
        self._long_word = re.compile(rb"[a-z0-9+/_-]{%d}" % min(map(len, self._coded), default=1))
        self._encoded: list[re.Pattern[bytes]] | None = None
        self._mark = next(m for m in _MARKS if not any(each in m.encode() for each in self._secrets)).encode()

    def text(self, data: bytes, begin: int = 0, end: int | None = None, *, ends: bool = True) -> str:
        """
        ``data`` from ``begin`` to ``end``, without controls but colours and carriage returns; the rest is context.

        ``ends`` False says that more may follow ``data``: what may be the beginning of a secret is hidden too.
        """
        end = len(data) if end is None else end
        visible, gaps = _without_invisible(data)
        spans = _merged(self._found(visible, ends=ends))
        hidden = _raw_spans(spans, gaps) if gaps else spans
        if b"\b" in data and self._needles:
            hidden = _merged([*hidden, *self._struck_over(data, gaps)])
        if not hidden and not gaps:
            return data[begin:end].decode(errors="replace")
        text = _rebuilt(data, begin, end, hidden, gaps, self._mark).decode(errors="replace")
        # Taking something away can join the halves of a control; taking that away too could join a secret.
        return _FORMED.sub("\ufffd", text)

    def line(self, data: bytes, *, ends: bool = True) -> str:
        """One line in the state in which its last carriage return left it; colours are kept."""
        return last_state(self.text(data, ends=ends))

    def _found(self, data: bytes, *, ends: bool) -> Iterator[tuple[int, int]]:
        lower = data.lower()
        if self._needles:
            if self._is_in(lower):
                yield from self._in(data, lower)
            if not data.isascii() and self._is_in(lower.translate(None, _NOT_ASCII)):
                yield from self._between_marks(data)
            if _ENCODED.search(data):
                yield from (found.span() for pattern in self._patterns() for found in pattern.finditer(data))
            if not ends:
                for secret in self._secrets:
                    yield from _beginning_at_end(data, secret)
        if _one_of(_HINTS, lower):
            yield from (found.span(found.lastindex or 0) for found in _TOKENS.finditer(data))

    def _in(self, data: bytes, lower: bytes) -> Iterator[tuple[int, int]]:
        for needle in self._needles:
            yield from needle.parts(lower if needle.folded else data)

    def _is_in(self, lower: bytes) -> bool:
        """Whether there may be any in ``lower``, which is in lower case."""
        if _one_of(self._middles, lower):
            return True
        # A line seldom has so long a word; in a block to look for one takes longer than to look for all of these.
        wordy = len(lower) > _A_LINE or (self._coded and self._long_word.search(lower))
        return bool(wordy) and _one_of(self._coded, lower)

    def _between_marks(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Those whose letters are there one after the other when all that is not ASCII is left out."""
        kept = [at for at, byte in enumerate(data) if byte < 0x80]
        ascii_only = bytes(data[at] for at in kept)
        yield from ((kept[begin], kept[end - 1] + 1) for begin, end in self._in(ascii_only, ascii_only.lower()))

    def _struck_over(self, data: bytes, gaps: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Those that a terminal leaves when letters were erased with backspaces and written over."""
        hidden = {at for begin, end in gaps for at in range(begin, end)}
        kept: list[int] = []
        for at, byte in enumerate(data):
            if byte == 8 and kept and data[kept[-1]] != 10:
                kept.pop()
            elif at not in hidden and byte < 0x80:
                kept.append(at)
        left = bytes(data[at] for at in kept)
        yield from ((kept[begin], kept[end - 1] + 1) for begin, end in self._in(left, left.lower()))

    def _patterns(self) -> list[re.Pattern[bytes]]:
        """Made when first needed: most logs encode nothing, and a pattern takes a while to compile."""
        if self._encoded is None:
            self._encoded = [_encoded(each) for each in self._secrets]
        return self._encoded


def _one_of(texts: tuple[bytes, ...], data: bytes) -> bool:
    """Whether one of them is in ``data``: asked of every line, so without a generator."""
    for text in texts:  # noqa: SIM110
        if text in data:
            return True
    return False


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


def _needles(secret: bytes) -> Iterator[_Needle]:
    """``secret`` as it is, in base64 wherever it begins in what was encoded, and in hex."""
    if len(secret) < _LONG:
        yield _Needle(secret, secret, 0, len(secret), len(secret), folded=False)
        return
    for text in (secret.lower(), *sorted({secret.hex().encode(), *_in_base64(secret)})):
        enough = int(len(text) * _MOST)
        around = len(text) - enough
        yield _Needle(text, text[around:enough], around, enough, enough, folded=True, coded=text != secret.lower())


def _middles(needles: Iterable[_Needle]) -> tuple[bytes, ...]:
    return tuple(each.middle.lower() for each in needles)


def _in_base64(secret: bytes) -> Iterator[bytes]:
    for before in range(3):
        encoded = binascii.b2a_base64(bytes(before) + secret, newline=False)
        # Only those letters that depend on nothing but the secret.
        text = encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6].lower()
        yield text
        yield text.replace(b"+", b"-").replace(b"/", b"_")


def _encoded(secret: bytes) -> re.Pattern[bytes]:
    """The same where characters of it are percent-encoded, or escaped as in JSON or HTML; of a long one its middle."""
    letters = [_spelled(each) for each in secret.decode(errors="replace")]
    around = int(len(letters) * (1 - _MOST)) if len(letters) >= _LONG else 0
    before, after = b"", b""
    for each in letters[:around]:
        before = b"(?:" + before + each + b")?"
    for each in reversed(letters[len(letters) - around :]):
        after = b"(?:" + each + after + b")?"
    return re.compile(before + b"".join(letters[around : len(letters) - around]) + after)


def _spelled(character: str) -> bytes:
    """A pattern for every way to write one character."""
    raw = character.encode(errors="replace")
    ways: set[bytes] = {
        re.escape(raw),
        b"(?i:" + b"".join(b"%%%02x" % byte for byte in raw) + b")",
        b"(?i:" + re.escape(_json_unicode(character)) + b")",
        b"(?i:&#(?:0*%d|x0*%x);?)" % (ord(character), ord(character)),
        re.escape(json.dumps(character)[1:-1].encode()),
        re.escape(_SHORT_ESCAPES.get(character, character).encode(errors="replace")),
    }
    if character == " ":
        ways.add(rb"\+")
    return b"(?:" + b"|".join(sorted(ways, reverse=True)) + b")"


def _json_unicode(character: str) -> bytes:
    units = character.encode("utf-16-be", errors="replace")
    return b"".join(b"\\u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2))


def _beginning_at_end(data: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    for length in range(min(len(text) - 1, len(data)), _PART - 1, -1):
        if data.endswith(text[:length]):
            yield len(data) - length, len(data)
            return


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap as one, in order."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _without_invisible(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """What is seen of ``data``, and where in it the rest was."""
    pattern = _INVISIBLE
    if not data.isascii() and has_unseen(data.decode(errors="replace")):
        pattern = _invisible_letters()
    elif not data.translate(None, _ORDINARY):
        return data, []
    gaps = [found.span() for found in pattern.finditer(data)]
    return (pattern.sub(b"", data) if gaps else data), gaps


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
