"""The handle to one instance. It holds a name, not a process: losing it hurts nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, LasError, NoSuchInstance
from las_jupyter.core.snapshot import ExitRecord, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.display.progress import in_notebook
from las_jupyter.display.status import instance_card, instance_line
from las_jupyter.display.text import LogText, Text
from las_jupyter.display.words import why
from las_jupyter.stack.access import Access, openai_client

if TYPE_CHECKING:
    import openai

    from las_jupyter.stack.stack import Stack


class Instance:
    """
    A running or ended module.

    Every attribute is read when asked for, so two handles to one name always agree. Collecting this object
    stops nothing; used as a context manager, the instance is stopped at the end, also on an error.
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self._stack = stack
        self.name = name

    @property
    def snapshot(self) -> Snapshot:
        """Everything known of it at this moment. Raises ``NoSuchInstance`` after ``remove``."""
        return self._stack.snapshot(self.name)

    @property
    def module(self) -> str:
        """What runs, as ``llama.cpp``."""
        return self.snapshot.module

    @property
    def state(self) -> ProcessState:
        """Where its process is in its life."""
        return self.snapshot.state

    @property
    def health(self) -> HealthState:
        """``healthy``, ``unhealthy`` or ``unknown``."""
        return self.snapshot.health.state

    @property
    def reason(self) -> str:
        """Why we believe what ``health`` says; once it ended, why it ended."""
        return why(self.snapshot)

    @property
    def mode(self) -> Mode:
        """``native`` or ``container``."""
        return self.snapshot.mode

    @property
    def pid(self) -> int | None:
        """The main process, or None while none is known."""
        return self.snapshot.pid

    @property
    def container_id(self) -> str | None:
        """The engine's id, or None for native execution."""
        return self.snapshot.container_id

    @property
    def port(self) -> int | None:
        """Its main port on 127.0.0.1."""
        ports = self.snapshot.ports
        return ports[0].host if ports else None

    @property
    def url(self) -> str | None:
        """As ``http://127.0.0.1:8080``."""
        return self.snapshot.url

    @property
    def base_url(self) -> str | None:
        """The address of its API, as ``http://127.0.0.1:8080/v1``; the same as ``url`` where it has no path."""
        url = self.url
        path = self._stack.spec(self.name).api_path or ""
        return None if url is None else url.rstrip("/") + "/" + path.strip("/") if path.strip("/") else url

    @property
    def model(self) -> str | None:
        """The name to give as ``model=`` in a request."""
        spec = self._stack.spec(self.name)
        return spec.model_alias or spec.model

    @property
    def api_key(self) -> str | None:
        """The key that was generated for it, or None where it takes none."""
        return self._stack.secrets(self.name).get("api_key")

    @property
    def password(self) -> str | None:
        """The password that was generated for it, as databases take one; None where it takes none."""
        return self._stack.secrets(self.name).get("password")

    @property
    def log_path(self) -> str:
        """The file with every byte this start wrote."""
        return self.snapshot.log_path

    @property
    def started_at(self) -> float | None:
        """Seconds since the epoch, or None before its first instruction."""
        return self.snapshot.started_at

    @property
    def exit(self) -> ExitRecord | None:
        """How it ended, with ``code``, ``signal``, ``oom``, ``requested`` and ``text``; None while it lives."""
        return self.snapshot.exit

    def openai(self) -> openai.OpenAI:
        """
        An ``openai.OpenAI`` that talks to it, key included.

        It talks to nobody else: when another program has the port by then, a request raises ``PortTaken`` (with older
        versions of openai as the cause of an ``APIConnectionError``) and sends nothing. Raises as ``access``.
        """
        return openai_client(self.access(), self._check_connection)

    def _check_connection(self, port: int, client: int = 0) -> None:
        """Raise ``PortTaken`` when the connection from ``client`` to ``port`` of this machine is not one to it."""
        self._stack.rooms.manager.check_answerer(self.name, port, client)

    def access(self) -> Access:
        """
        Where its OpenAI API is and the key for it, as any client wants them.

        Raises ``BadRequest`` when it has none or is not ready, ``PortTaken`` when another program has its port.
        """
        snapshot = self.snapshot
        if "openai-compatible-api" not in self._stack.spec(self.name).provides:
            raise BadRequest(
                f"{self.name} has no OpenAI-compatible API.",
                cause=f"the manifest of {snapshot.module} does not provide one",
                remedy=f"talk to it at {word(snapshot.url)}",
            )
        base_url = self.base_url
        if snapshot.state is not ProcessState.RUNNING or snapshot.ready_at is None or base_url is None:
            again = f"%las start {word(snapshot.module)} --name {word(self.name)}"
            raise BadRequest(
                f"{self.name} is {snapshot.state}, so there is nobody to talk to.",
                cause=snapshot.reason,
                remedy=f'las.get("{self.name}").wait_ready(), then again' if snapshot.state.alive else again,
            )
        self._check_connection(snapshot.ports[0].host)
        return Access(base_url, self.api_key or "none")

    def logs(
        self,
        *,
        tail: int | None = None,
        since: str | float | None = None,
        grep: str | None = None,
        generation: int | None = None,
    ) -> LogText:
        """What it wrote: the last ``tail`` lines (100), only those newer than ``since``, only those that match."""
        return self._stack.logs(self.name, tail=tail, since=since, grep=grep, generation=generation)

    def follow(self, *, tail: int = 10) -> Iterator[str]:
        """The last ``tail`` lines, then each line as it comes, until the instance has ended."""
        return self._stack.follow(self.name, tail=tail)

    def wait_ready(self, *, timeout: float | None = None) -> Instance:
        """
        Return when it is ready to serve. Raises ``LaunchFailed``; ``StartTimeout`` after ``timeout`` seconds.

        An interrupt and a time-out stop the waiting only; the instance goes on.
        """
        self._stack.wait_ready(self.name, timeout=timeout)
        return self

    def stop(self, *, grace: float | None = None) -> Text:
        """Ask it to end, wait ``grace`` seconds, insist, and return when nothing of it is left."""
        return self._stack.stop(self.name, grace=grace)

    def restart(self, *, wait: bool = True) -> Instance:
        """Stop it and start it again as it was, with the same port and key."""
        return self._stack.restart(self.name, wait=wait)

    def remove(self, *, data: bool = False, yes: bool = False) -> Text:
        """Forget it, with its logs; ``data`` with ``yes`` deletes its data too. Raises ``InstanceConflict``."""
        return self._stack.remove(self.name, data=data, yes=yes)

    def panel(self) -> Any:
        """The live panel of this instance."""
        return self._stack.panel(self.name)

    def __enter__(self) -> Instance:
        snapshot = self.snapshot
        return self if snapshot.state is ProcessState.RUNNING and snapshot.ready_at else self.wait_ready()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.stop()
        except NoSuchInstance:
            return
        except LasError:
            # The error of the block is what the person must see; a failed stop on top of it would hide it.
            if error is None:
                raise

    def __repr__(self) -> str:
        try:
            return instance_line(self.snapshot)
        except NoSuchInstance:
            return f"<{self.name}: removed>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        try:
            card = instance_card(self.snapshot, now=time.time())
        except NoSuchInstance:
            return {"text/plain": repr(self)}
        return {"text/plain": repr(self), "text/html": card}

    def _ipython_display_(self) -> None:
        """
        A static card, and the live panel below it.

        Two outputs on purpose: a saved notebook that is opened again shows an error in place of a widget without
        its kernel, also where the same output holds HTML. Raises ``NotImplementedError`` where there is no
        notebook, by which IPython falls back to the plain text.
        """
        panel = self._stack.panel_if_any(self.name) if in_notebook() else None
        if panel is None:
            raise NotImplementedError
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)  # type: ignore[no-untyped-call]
        display(panel)  # type: ignore[no-untyped-call]
