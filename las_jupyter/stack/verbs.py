"""The verbs as functions: ``las.start(…)`` is ``Stack.start`` of the one stack of this process."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from las_jupyter.core import advice
from las_jupyter.core.errors import BadRequest, UnknownOption
from las_jupyter.display.words import nearest
from las_jupyter.stack.requests import option_parameters
from las_jupyter.stack.stack import Stack

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def default_stack() -> Stack:
    """The stack all surfaces of this process share. It reads settings and state anew at every call."""
    return Stack()


def verb_signature(method: Callable[..., Any]) -> inspect.Signature:
    """The signature of a verb without ``self`` and with every start option spelt out."""
    signature = inspect.signature(method)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        parameters[-1:] = option_parameters()
    return signature.replace(parameters=parameters)


def refuse_unknown(name: str, signature: inspect.Signature, given: dict[str, Any]) -> None:
    """Raise ``UnknownOption`` naming the nearest when a keyword is none of ours."""
    known = [each.name for each in signature.parameters.values()]
    for word in given:
        if word not in known:
            near = nearest(word, known)
            raise UnknownOption(
                f"{name} has no argument {word!r}.",
                cause=f"its arguments are: {', '.join(known)}",
                remedy=f"did you mean {advice.word(near)}=?" if near else f"help(las.{name})",
            )


def refuse_unbound(name: str, signature: inspect.Signature, args: tuple[Any, ...], given: dict[str, Any]) -> None:
    """Raise ``BadRequest`` when an argument is lacking, or there is one too many."""
    try:
        signature.bind(*args, **given)
    except TypeError as error:
        needed = [each.name for each in signature.parameters.values() if each.default is inspect.Parameter.empty]
        known = [each.name for each in signature.parameters.values() if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        raise BadRequest(
            f"las.{name} cannot be called like that.",
            cause=str(error),
            remedy=f"las.{name}({', '.join(map(repr, needed or known[:1]))}, …), or help(las.{name})",
        ) from None


def _verb(method: Callable[Concatenate[Stack, P], R]) -> Callable[P, R]:
    signature = verb_signature(method)

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_unknown(method.__name__, signature, kwargs)
        refuse_unbound(method.__name__, signature, args, kwargs)
        return method(default_stack(), *args, **kwargs)

    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__qualname__ = method.__name__
    call.__module__ = __name__
    return call


start = _verb(Stack.start)
attach = _verb(Stack.attach)
stop = _verb(Stack.stop)
restart = _verb(Stack.restart)
remove = _verb(Stack.remove)
get = _verb(Stack.get)
status = _verb(Stack.status)
events = _verb(Stack.events)
plan = _verb(Stack.plan)
modules = _verb(Stack.modules)
panel = _verb(Stack.panel)
trust = _verb(Stack.trust)
config = _verb(Stack.config)
doctor = _verb(Stack.doctor)

VERBS = (
    *("attach", "config", "doctor", "events", "get", "modules", "panel", "plan"),
    *("remove", "restart", "start", "status", "stop", "trust"),
)
"""
Every function here that is public as ``las.NAME`` and awaitable as ``las.aio.NAME``.

``health`` and ``logs`` are not among them: they are rooms of this package, and an import of the room would put the
module in the function's place. Ask the instance: ``las.get(name).logs()``.
"""
