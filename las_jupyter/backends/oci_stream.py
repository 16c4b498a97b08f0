"""Following a container's log over the Engine API: framed, with time stamps in nanoseconds, resumed by them."""

from __future__ import annotations

import calendar
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import requests
import urllib3

from las_jupyter.backends.oci_logs import Sink

# A connection that is cut between two pieces of an answer is told by the layer below ``requests``.
_CUT = (OSError, requests.RequestException, urllib3.exceptions.HTTPError, docker.errors.DockerException)
_BASE_EVERY = 1000
_RETRY = 0.5
_HEADER = struct.Struct(">BxxxL")


class Position:
    """
    How far the engine's record was read: ``count`` messages have a stamp of ``base`` or later.

    Stamps of two pipes may stand in the wrong order, so one stamp alone is no place in the record; a stamp and a
    number of messages from it on are.
    """

    def __init__(self, cursor: dict[str, int]) -> None:
        self.base, self.count = cursor.get("base", 0), cursor.get("count", 0)
        self._next, self._at_next = self.base, self.count
        self._newest, self._seen = self.base, 0
        self.skip = 0

    def begin(self) -> str:
        """Read again from the base; what was read already will be skipped. Returns the ``since`` to ask for."""
        self.skip = self.count
        return f"{self.base // 10**9}.{self.base % 10**9:09d}"

    def take(self, stamp: int) -> bool:
        """Whether this message is new."""
        if self.skip:
            self.skip -= 1
            return False
        self.count += stamp >= self.base
        self._at_next += stamp >= self._next
        self._newest = max(self._newest, stamp)
        self._seen += 1
        if self._seen >= _BASE_EVERY and self._newest > self._next:
            # The base stays a thousand messages behind, so that none that comes out of order lies before it.
            self.base, self.count = self._next, self._at_next
            self._next, self._at_next, self._seen = self._newest + 1, 0, 0
        return True

    @property
    def cursor(self) -> dict[str, int]:
        return {"base": self.base, "count": self.count}


class StreamCollector:
    """Follows; reads on from where it was when the engine comes back."""

    def __init__(self, client: Callable[[], Any], container: str, sink: Sink) -> None:
        self._client, self._container, self._sink = client, container, sink
        self._position = Position(sink.cursor)
        self._finish, self._abandon, self._wake = False, False, threading.Event()

    def run(self) -> None:
        """Until the container's log has ended and all of it was read."""
        while not self._abandon:
            last = self._finish
            try:
                self._follow(follow=not last)
            except (docker.errors.NotFound, docker.errors.APIError):
                if last:
                    break
            except _CUT:
                last = False
                if self._finish and self._wake.is_set():
                    self._wake.clear()
            if last:
                break
            self._wake.wait(_RETRY)
        self._sink.mark(self._position.cursor, now=True)

    def _follow(self, *, follow: bool) -> None:
        api = self._client()
        try:
            asked = {
                "stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow), "since": self._position.begin(),
                "tail": "all",
            }  # fmt: skip
            url = api._url("/containers/{0}/logs", self._container)
            answer = api._get(url, params=asked, stream=True, timeout=None if follow else 60)
            api._raise_for_status(answer)
            for batch in frames(answer.raw.stream(1 << 16, decode_content=False)):
                self._take(batch)
                if self._abandon:
                    return
        finally:
            api.close()

    def _take(self, batch: list[bytes]) -> None:
        texts = []
        for message in batch:
            stamp, _, text = message.partition(b" ")
            if self._position.take(nanoseconds(stamp)):
                texts.append(text)
        if texts:
            self._sink.write(b"".join(texts))
            self._sink.mark(self._position.cursor)

    def finish(self) -> None:
        self._finish = True
        self._wake.set()

    def abandon(self) -> None:
        self._abandon = True
        self._wake.set()


def frames(chunks: Iterator[Any]) -> Iterator[list[bytes]]:
    """The messages of the engine's framed stream, as many at once as have come."""
    kept = b""
    for chunk in chunks:
        kept += chunk
        found, at = [], 0
        while len(kept) - at >= _HEADER.size:
            size = _HEADER.unpack_from(kept, at)[1]
            if len(kept) - at - _HEADER.size < size:
                break
            found.append(kept[at + _HEADER.size : at + _HEADER.size + size])
            at += _HEADER.size + size
        kept = kept[at:]
        if found:
            yield found


_SECONDS: dict[bytes, int] = {}


def nanoseconds(stamp: bytes) -> int:
    """``2026-01-31T12:00:00.123456789Z`` as nanoseconds since the epoch."""
    whole, _, rest = stamp.rstrip(b"Z").partition(b".")
    seconds = _SECONDS.get(whole)
    if seconds is None:
        _SECONDS.clear()
        seconds = _SECONDS[whole] = calendar.timegm(time.strptime(whole.decode(), "%Y-%m-%dT%H:%M:%S"))
    return seconds * 10**9 + int(rest.ljust(9, b"0")[:9] or b"0")
