"""
Completion of ``%las`` lines through IPython's matcher API, version 2.

The older ``complete_command`` hook misses ``%%las`` and ``x = %las …`` and mixes Python keywords in.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from las_jupyter.stack.completion import Candidate, complete
from las_jupyter.stack.dispatch import completion_values
from las_jupyter.stack.grammar import VERBS
from las_jupyter.stack.stack import Stack

_LINE = re.compile(r"^\s*(?:[\w.\[\]'\", ]+=\s*)?%{1,2}las(?P<rest>\s.*)$")
_KEEP_SECONDS = 5.0
_BODY = re.compile(r"^\s*(?P<key>[\w-]*)$")


class Matcher:
    """What IPython asks at every Tab; answers only for our lines and then keeps the other matchers out."""

    matcher_api_version = 2
    matcher_priority = 1000.0
    matcher_identifier = "las"

    def __init__(self, stack: Stack) -> None:
        self._values = {name: _remembered(ask) for name, ask in completion_values(stack).items()}
        self.__qualname__ = "las_matcher"

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.match(context.text_until_cursor)
        if found is not None:
            return self._line(found["rest"])
        if context.cursor_line > 0 and context.full_text.lstrip().startswith("%%las"):
            return self._body(context)
        return SimpleMatcherResult(completions=[], suppress=False)

    def _line(self, rest: str) -> SimpleMatcherResult:
        words, fragment = _typed(rest)
        return _result(complete(words, fragment, self._values), fragment)

    def _body(self, context: CompletionContext) -> SimpleMatcherResult:
        typed = _BODY.match(context.text_until_cursor)
        words = _typed(context.full_text.lstrip().split("\n", 1)[0].removeprefix("%%las"))[0] or ["start"]
        verb = next((each for each in VERBS if each.name == words[0]), None)
        if typed is None or verb is None:
            return SimpleMatcherResult(completions=[], suppress=False)
        names = [Candidate(option.name, "option", option.help) for option in verb.options]
        return _result([each for each in names if each.text.startswith(typed["key"])], typed["key"])


def _typed(rest: str) -> tuple[list[str], str]:
    """The finished words and the one under the cursor."""
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split()
    fragment = "" if not rest or rest[-1].isspace() or not words else words.pop()
    return words, fragment


def _result(candidates: list[Candidate], fragment: str) -> SimpleMatcherResult:
    shown = [SimpleCompletion(text=_quoted(each.text), type=each.kind) for each in candidates]
    return SimpleMatcherResult(completions=shown, suppress=bool(shown), matched_fragment=fragment, ordered=True)


def _quoted(text: str) -> str:
    return shlex.quote(text) if " " in text else text


def _remembered(ask: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """``ask``, at most once in a few seconds: Tab runs on the kernel's main thread and must be instant."""
    kept: dict[str, Any] = {"at": float("-inf"), "values": []}

    def answer() -> list[str]:
        if time.monotonic() - kept["at"] > _KEEP_SECONDS:
            kept["values"] = ask()
            kept["at"] = time.monotonic()
        values: list[str] = kept["values"]
        return values

    return answer
