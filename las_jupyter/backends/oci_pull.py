"""
Fetching an image: layer by layer for whoever looks, without holding up whoever asks, and given up when nobody wants it.

The engine is asked in a thread of its own, because it may be silent for minutes; the thread of the launch goes on
serving the supervisor's socket meanwhile.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import NamedTuple

from las_jupyter.backends.oci import Engine, EngineError, EngineUnreachable, PullProgress
from las_jupyter.core.advice import word
from las_jupyter.core.backend import Meanwhile
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.snapshot import Fetching
from las_jupyter.core.wire import to_json
from las_jupyter.logs.scan import LONGEST_LINE
from las_jupyter.state.files import write_atomic

PULL_FILE = "pull.json"
"""In the instance's folder while an image is fetched: one object a layer, newest words."""

_WRITE_EVERY = 0.2
_END_WITHIN = 0.5
_HERE = ("Pull complete", "Already exists")
_LOADED = ("Verifying Checksum", "Download complete", "Extracting", *_HERE)


class _Saying(NamedTuple):
    """What engines and registries say when an image cannot be had, and what it means; ``{0}`` is the engine."""

    pattern: str
    cause: str
    remedy: str


_SAYINGS = (
    _Saying(
        r"manifest unknown|manifest for \S+ not found|name unknown|NAME_UNKNOWN|tag does not exist",
        "its registry has no such image or tag",
        "correct launch.container.image in the manifest: look up the tags that the registry has",
    ),
    _Saying(
        r"unauthorized|authentication required|denied",
        "its registry does not give it without a login, or has no such repository",
        "{0} login",
    ),
    _Saying(
        r"no such host|connection refused|server misbehaving|network is unreachable|i/o timeout|Client\.Timeout"
        r"|TLS handshake|no route to host",
        "its registry cannot be reached",
        "",
    ),
    _Saying(
        r"unexpected EOF|connection reset|broken pipe|blob unknown|unknown blob|short read|closed the connection",
        "the connection was cut before all of it was here",
        "",
    ),
    _Saying(r"no space left on device", "the engine's disk is full", "{0} system prune"),
)  # fmt: skip


class _GivenUp(Exception):
    """Nobody wants the image any more."""


class Layers:
    """Where the layers of ``image`` stand, in one summary."""

    def __init__(self, image: str) -> None:
        self._image = image
        self.layers: dict[str, PullProgress] = {}

    def take(self, told: PullProgress) -> None:
        """One word of the engine; a layer that is loaded keeps its size, whatever is counted afterwards."""
        if not re.fullmatch(r"[0-9a-f]{6,64}", told.layer):
            return
        before = self.layers.get(told.layer, PullProgress(told.layer, ""))
        total = before.total or told.total
        if told.doing in _LOADED:
            told = told._replace(done=total, total=total)
        elif told.doing != "Downloading":
            told = told._replace(done=before.done, total=before.total)
        self.layers[told.layer] = told

    @property
    def fetching(self) -> Fetching:
        """All of them together; without a total as long as the size of one is not known."""
        found = tuple(self.layers.values())
        known = all(each.total or each.doing in _LOADED for each in found)
        return Fetching(
            self._image,
            sum(each.doing in _HERE for each in found),
            len(found),
            sum(each.done for each in found),
            sum(each.total for each in found) if known else 0,
        )


class _PullFile:
    """Where a pull stands, layer by layer, as data for whoever shows it."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, PULL_FILE)
        self._written = 0.0

    def write(self, layers: Layers) -> None:
        if time.monotonic() - self._written >= _WRITE_EVERY:
            self._written = time.monotonic()
            write_atomic(self._path, to_json(tuple(layers.layers.values())).encode())

    def close(self) -> None:
        try:
            os.unlink(self._path)
        except OSError:
            pass


class _Pull(threading.Thread):
    """One pull under way."""

    def __init__(self, engine: Engine, image: str) -> None:
        super().__init__(name="pull", daemon=True)
        self._engine, self._image = engine, image
        self._given_up = False
        self._lock = threading.Lock()
        self._layers = Layers(image)
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._engine.pull(self._image, self._take)
        except Exception as error:
            self.error = error  # told by the thread that waits

    def _take(self, told: PullProgress) -> None:
        if self._given_up:
            raise _GivenUp
        with self._lock:
            self._layers.take(told)

    def tell(self, file: _PullFile) -> Fetching:
        with self._lock:
            file.write(self._layers)
            return self._layers.fetching

    def give_up(self) -> None:
        """End it; a silent Docker ends it with this process, and nobody is to wait for that unserved."""
        self._given_up = True
        self._engine.give_up_pull()
        self.join(_END_WITHIN)


def pull(engine: Engine, image: str, folder: str, name: str, meanwhile: Meanwhile | None) -> None:
    """
    Fetch ``image`` for the instance ``name``, whose folder is ``folder``.

    Raises ``EngineUnreachable``; ``LaunchFailed`` with the cause when it cannot be had or is no longer wanted.
    """
    file, work = _PullFile(folder), _Pull(engine, image)
    work.start()
    try:
        while work.is_alive():
            if meanwhile is None:
                work.join(_WRITE_EVERY)
                work.tell(file)
            elif not meanwhile(work.tell(file)):
                work.give_up()
                raise LaunchFailed(
                    f"{name} was not started.",
                    cause=f"it was stopped while {engine.name} fetched its image {image}",
                    remedy=f"%las start begins again; what {word(engine.name)} keeps of the image is not fetched twice",
                )
    finally:
        file.close()
    if isinstance(work.error, EngineUnreachable):
        raise work.error
    if isinstance(work.error, EngineError):
        raise explain_pull(name, engine.name, image, str(work.error)) from work.error
    if work.error is not None:
        raise work.error


def explain_pull(name: str, engine: str, image: str, text: str) -> LaunchFailed:
    """The error for ``text``, which ``engine`` said when it was to fetch ``image``."""
    flat = " ".join(text.split())
    cause, remedy = flat or "it did not say why", ""
    for saying in _SAYINGS:
        if re.search(saying.pattern, flat[:LONGEST_LINE]):
            cause, remedy = saying.cause, saying.remedy.format(word(engine))
            break
    return LaunchFailed(
        f"{name} could not be started by {engine}.",
        cause=f"the image {image} is not here, and it cannot be fetched: {cause}",
        remedy=remedy or f"{word(engine)} pull {word(image)}",
        details=(flat,) if flat and flat != cause else (),
    )
