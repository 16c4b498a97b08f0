"""The handle to a server that somebody else started: it can be used and looked at, and is never ended from here."""

from __future__ import annotations

import json
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, PortTaken
from las_jupyter.core.states import HealthState
from las_jupyter.display import html
from las_jupyter.display.words import SHAPES, one_line
from las_jupyter.limits.sockets import answering
from las_jupyter.resources.asking import ask
from las_jupyter.resources.ports import listener
from las_jupyter.stack.access import Access, openai_client
from las_jupyter.stack.strangers import Stranger, is_trusted

if TYPE_CHECKING:
    import openai


class Seen(NamedTuple):
    """What is known of an attached server at one moment."""

    module: str
    url: str
    base_url: str
    model: str | None
    health: HealthState
    reason: str
    owner: str
    pid: int | None


class Attached:
    """
    A server on this machine that is not ours.

    ``health`` and ``model`` are asked when read. There is no log, since we did not start it, and ``stop`` refuses.
    """

    def __init__(self, found: Stranger, api_key: str | None = None) -> None:
        self._found = found
        self.api_key = api_key
        self.module = found.module
        self.port = found.port
        self.pid = found.pid

    @property
    def url(self) -> str:
        """As ``http://127.0.0.1:11434``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The address of its API, as ``http://127.0.0.1:11434/v1``."""
        path = self._found.api_path.strip("/")
        return f"{self.url}/{path}" if path else self.url

    @property
    def model(self) -> str | None:
        """The first model it offers, to give as ``model=`` in a request; None where it does not tell."""
        path = self._found.api_path.rstrip("/")
        reply = ask(self.port, f"{path}/models", self._is_theirs, key=self.api_key) if path else None
        try:
            return str(json.loads(reply.body)["data"][0]["id"]) if reply else None
        except (ValueError, LookupError, TypeError, RecursionError):
            return None

    @property
    def health(self) -> HealthState:
        """``healthy``, ``unhealthy`` or ``unknown``, asked now."""
        return self._asked()[0]

    @property
    def reason(self) -> str:
        """Why we believe what ``health`` says."""
        return self._asked()[1]

    @property
    def snapshot(self) -> Seen:
        """Everything known of it at this moment."""
        health, reason = self._asked()
        return Seen(self.module, self.url, self.base_url, self.model, health, reason, self._found.who, self.pid)

    def _asked(self) -> tuple[HealthState, str]:
        who = listener(self.port)
        if who is None:
            return HealthState.UNHEALTHY, f"nobody listens on port {self.port} any more"
        if who != self._found.who:
            return HealthState.UNKNOWN, f"another program listens there now: {who}"
        probe = self._found.probe
        reply = ask(self.port, probe.path, self._is_theirs, key=self.api_key) if probe else None
        if probe is None:
            return HealthState.UNKNOWN, "its manifest names no page to ask"
        if reply is None:
            return HealthState.UNKNOWN, f"{probe.path} did not answer in time"
        said = f"{probe.path} answers {reply.code}"
        if reply.code in probe.ok:
            return HealthState.HEALTHY, said
        return (HealthState.UNKNOWN if reply.code in probe.loading else HealthState.UNHEALTHY), said

    def access(self) -> Access:
        """Where its OpenAI API is and the key that was given for it. Raises ``BadRequest`` when it has none."""
        if "openai-compatible-api" not in self._found.provides:
            raise BadRequest(
                f"{self.module} has no OpenAI-compatible API.",
                cause="its manifest does not provide one",
                remedy=f"talk to it at {word(self.url)}",
            )
        return Access(self.base_url, self.api_key or "none")

    def openai(self) -> openai.OpenAI:
        """An ``openai.OpenAI`` that talks to it. Raises ``BadRequest`` when it has no such API."""
        return openai_client(self.access(), self._check)

    def _is_theirs(self, uid: int) -> bool:
        """Whether a socket is of the user whose server this was at first, or of one who may be trusted anyway."""
        return uid == self._found.uid or is_trusted(uid)

    def _check(self, port: int, client: int) -> None:
        found = answering(port, client)
        if found is None or not self._is_theirs(found.uid):
            raise PortTaken(
                f"Port {port} is not answered by the {self.module} that was attached to, so nothing was sent.",
                cause=f"{listener(port)} listens there now",
                remedy=f"%las attach {word(self.module)} --port {port:d}",
            )

    def stop(self) -> NoReturn:
        """Refuse: what we did not start is not ours to end. Always raises ``BadRequest``, with whom to ask."""
        unit = self._found.unit
        end = f"systemctl stop {word(unit)}" if unit else f"kill {self.pid:d}" if self.pid else "ask whoever started it"
        raise BadRequest(
            f"{self.module} on port {self.port} is not stopped from here.",
            cause=f"it was not started here: {self._found.who}",
            remedy=f"end it where it was started: {end}",
        )

    def logs(self) -> NoReturn:
        """Refuse: its output never came to us. Always raises ``BadRequest``."""
        unit = self._found.unit
        raise BadRequest(
            f"There is no log of {self.module} on port {self.port} here.",
            cause=f"it was not started here: {self._found.who}",
            remedy=f"journalctl -u {word(unit)}" if unit else "look where it was started",
        )

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing: it was there before, and stays."""

    def __repr__(self) -> str:
        return f"<attached: {self.module}, {self.health}, {self.url}, {self._found.who}>"

    def _repr_html_(self) -> str:
        seen = self.snapshot
        rows = [("module", seen.module), ("url", seen.url), ("model", seen.model or ""), ("health", seen.reason)]
        rows.append(("owner", f"{seen.owner}, not started here: no log, no stop"))
        word = seen.health.value
        head = html.tag("div", html.coloured(word, f"{SHAPES[word]} {word}"), html.tag("b", f"  {seen.module}"))
        kept = [(name, one_line(text)) for name, text in rows if text]
        return html.tag("div", head, html.grid(("", ""), kept), class_="las-card")
