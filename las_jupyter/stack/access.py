"""
Where an OpenAI API is, and a client bound to it that talks to nobody else.

A port outlives its server. A client that was made before a crash would send its key and a prompt to whoever listens
there now, so every new connection is looked at before the first byte goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from las_jupyter.core.errors import LasError

if TYPE_CHECKING:
    import openai

Check = Callable[[int, int], None]
"""Called with the port and the client's own port of a connection; raises a ``LasError`` when it may not be used."""

_CONNECTED = "connection.connect_tcp.complete"


class Access(NamedTuple):
    """Address and key of an OpenAI API; the key is ``none`` where the server takes any."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Access(base_url={self.base_url!r}, api_key='***')"


def openai_client(at: Access, check: Check) -> openai.OpenAI:
    """A client that talks to it. A connection that ``check`` refuses fails, and nothing is sent."""
    import openai

    def connected(event: str, info: dict[str, Any]) -> None:
        if event == _CONNECTED:
            try:
                _check(info["return_value"], check)
            except LasError:
                info["return_value"].close()
                raise

    # A proxy of the environment must see neither the request nor the key: the server is on this machine.
    client = openai.DefaultHttpxClient(trust_env=False, event_hooks={"request": [lambda ask: _trace(ask, connected)]})
    return openai.OpenAI(base_url=at.base_url, api_key=at.api_key, http_client=client)


def async_openai_client(at: Access, check: Check) -> openai.AsyncOpenAI:
    """The same, awaited."""
    import openai

    async def connected(event: str, info: dict[str, Any]) -> None:
        if event == _CONNECTED:
            try:
                _check(info["return_value"], check)
            except LasError:
                await info["return_value"].aclose()
                raise

    async def trace(request: Any) -> None:
        _trace(request, connected)

    client = openai.DefaultAsyncHttpxClient(trust_env=False, event_hooks={"request": [trace]})
    return openai.AsyncOpenAI(base_url=at.base_url, api_key=at.api_key, http_client=client)


def _trace(request: Any, told: Callable[..., Any]) -> None:
    """Have the client tell of each connection it makes for ``request`` before anything goes through it."""
    request.extensions = {**request.extensions, "trace": told}


def _check(stream: Any, check: Check) -> None:
    connection = stream.get_extra_info("socket")
    check(connection.getpeername()[1], connection.getsockname()[1])
