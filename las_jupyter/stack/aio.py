"""
The same verbs, awaitable: ``llm = await las.aio.start("llama.cpp")``.

Each call runs in a thread of its own, so a loop is never blocked, and a daemon thread, so an interpreter that wants
to end is not held by a server that loads. Cancelling an ``await`` gives up waiting; what was begun goes on.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from las_jupyter.core.errors import LasError, NoSuchInstance
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import ProcessState
from las_jupyter.display.text import LogText, Text
from las_jupyter.stack.access import async_openai_client
from las_jupyter.stack.instance import Instance
from las_jupyter.stack.stack import Stack
from las_jupyter.stack.verbs import default_stack, refuse_unbound, refuse_unknown, verb_signature

if TYPE_CHECKING:
    import openai

P = ParamSpec("P")
R = TypeVar("R")


async def off_the_loop(call: Callable[[], R]) -> R:
    """What ``call`` returns or raises, run in a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[R] = loop.create_future()

    def settle(value: R | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)  # type: ignore[arg-type]

    def report(value: R | None, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            # The loop ended while we worked: nobody waits for the answer any more.
            return

    def work() -> None:
        try:
            value = call()
        except BaseException as error:
            report(None, error)
        else:
            report(value, None)

    threading.Thread(target=work, name="las-aio", daemon=True).start()
    return await answer


class AsyncInstance:
    """An ``Instance`` whose slow methods are awaited; its attributes are the same."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    @property
    def name(self) -> str:
        """Its name."""
        return self._instance.name

    def openai(self) -> openai.AsyncOpenAI:
        """An ``openai.AsyncOpenAI`` that talks to it, key included."""
        return async_openai_client(self._instance.access(), self._instance._check_connection)

    async def logs(
        self,
        *,
        tail: int | None = None,
        since: str | float | None = None,
        grep: str | None = None,
        generation: int | None = None,
    ) -> LogText:
        """As ``Instance.logs``."""
        ask = functools.partial(self._instance.logs, tail=tail, since=since, grep=grep, generation=generation)
        return await off_the_loop(ask)

    async def follow(self, *, tail: int = 10) -> AsyncIterator[str]:
        """As ``Instance.follow``."""
        lines = await off_the_loop(lambda: self._instance.follow(tail=tail))
        ended = object()
        while True:
            line = await off_the_loop(lambda: next(lines, ended))
            if not isinstance(line, str):
                return
            yield line

    async def wait_ready(self, *, timeout: float | None = None) -> AsyncInstance:
        """As ``Instance.wait_ready``."""
        await off_the_loop(lambda: self._instance.wait_ready(timeout=timeout))
        return self

    async def stop(self, *, grace: float | None = None) -> Text:
        """As ``Instance.stop``."""
        return await off_the_loop(lambda: self._instance.stop(grace=grace))

    async def restart(self, *, wait: bool = True) -> AsyncInstance:
        """As ``Instance.restart``."""
        await off_the_loop(lambda: self._instance.restart(wait=wait))
        return self

    async def remove(self, *, data: bool = False, yes: bool = False) -> Text:
        """As ``Instance.remove``."""
        return await off_the_loop(lambda: self._instance.remove(data=data, yes=yes))

    async def __aenter__(self) -> AsyncInstance:
        snapshot: Snapshot = self._instance.snapshot
        return self if snapshot.state is ProcessState.RUNNING and snapshot.ready_at else await self.wait_ready()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        except NoSuchInstance:
            return
        except LasError:
            # As in ``Instance.__exit__``: the error of the block is what the person must see.
            if error is None:
                raise

    def __repr__(self) -> str:
        return repr(self._instance)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self._instance._repr_mimebundle_()

    def _ipython_display_(self) -> None:
        self._instance._ipython_display_()


def _awaitable(method: Callable[Concatenate[Stack, P], R]) -> Callable[P, Coroutine[Any, Any, R]]:
    signature = verb_signature(method)

    @functools.wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_unknown(method.__name__, signature, kwargs)
        refuse_unbound(method.__name__, signature, args, kwargs)
        return await off_the_loop(lambda: method(default_stack(), *args, **kwargs))

    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__qualname__ = method.__name__
    call.__module__ = __name__
    return call


async def panel(name: str | None = None) -> Any:
    """As ``las.panel``. Made on the loop's own thread: a widget belongs to the cell that asked for it."""
    return default_stack().panel(name)


def _giving_instance(
    method: Callable[Concatenate[Stack, P], Instance],
) -> Callable[P, Coroutine[Any, Any, AsyncInstance]]:
    ask = _awaitable(method)

    @functools.wraps(ask)
    async def call(*args: P.args, **kwargs: P.kwargs) -> AsyncInstance:
        return AsyncInstance(await ask(*args, **kwargs))

    return call


start = _giving_instance(Stack.start)
attach = _awaitable(Stack.attach)
stop = _awaitable(Stack.stop)
restart = _giving_instance(Stack.restart)
remove = _awaitable(Stack.remove)
get = _giving_instance(Stack.get)
status = _awaitable(Stack.status)
events = _awaitable(Stack.events)
plan = _awaitable(Stack.plan)
modules = _awaitable(Stack.modules)
trust = _awaitable(Stack.trust)
config = _awaitable(Stack.config)
doctor = _awaitable(Stack.doctor)
