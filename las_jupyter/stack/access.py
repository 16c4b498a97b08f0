"""Where an OpenAI API is, and a client bound to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import openai


class Access(NamedTuple):
    """Address and key of an OpenAI API; the key is ``none`` where the server takes any."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Access(base_url={self.base_url!r}, api_key='***')"


def openai_client(at: Access) -> openai.OpenAI:
    """A client that talks to it."""
    import openai

    # A proxy of the environment must see neither the request nor the key: the server is on this machine.
    client = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(base_url=at.base_url, api_key=at.api_key, http_client=client)
