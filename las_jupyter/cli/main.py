"""
The command line. Answers go to standard output, notes and errors to standard error; ``--json`` prints one document.

Exit codes: 0 done · 1 it failed · 2 the words were not understood · 3 refused with reasons · 4 no such instance ·
130 interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple

from las_jupyter.core.advice import in_terminal
from las_jupyter.core.errors import NEXT_STEP, BadRequest, LasError, NoSuchInstance, PlanRefused
from las_jupyter.core.unseen import escaped, seen
from las_jupyter.stack.grammar import BY_NAME
from las_jupyter.stack.parsing import Command, parse

PREFIX = "las-jupyter"
EXIT_CODES: tuple[tuple[type[LasError], int], ...] = ((BadRequest, 2), (PlanRefused, 3), (NoSuchInstance, 4))
INTERRUPTED = 130
SWITCHES = ("--json", "--traceback")


class Asked(NamedTuple):
    """The words for the verb, and the switches that are the command line's own."""

    words: list[str]
    json: bool
    traceback: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    asked = _switches(list(sys.argv[1:] if argv is None else argv))
    try:
        return _run(asked)
    except LasError as error:
        _show_error(error, asked)
        return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            return _reader_is_gone()
        _show_error(_defect(error), asked)
        return 1
    except KeyboardInterrupt as error:
        told: list[str] = getattr(error, "lines", list)()
        print("\n".join(["", *_in_terminal_words(told)]), file=sys.stderr)
        return INTERRUPTED


def _reader_is_gone() -> int:
    """The reader of our output went away, as `| head` does. Python would complain once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _defect(error: Exception) -> LasError:
    """What nobody foresaw, in one sentence too; the frames are for whoever mends it."""
    told = LasError(
        "This went wrong in a way nobody foresaw.",
        cause=f"{type(error).__name__}: {error}" if str(error) else type(error).__name__,
        remedy=f"{PREFIX} --traceback … shows the frames for a report",
    )
    told.__cause__ = error
    return told


def _switches(words: list[str]) -> Asked:
    cut = words.index("--") if "--" in words else len(words)
    ours, engine = words[:cut], words[cut:]
    kept = [word for word in ours if word not in SWITCHES]
    return Asked(kept + engine, "--json" in ours, "--traceback" in ours)


def _run(asked: Asked) -> int:
    words = asked.words
    if words[:1] == ["--version"]:
        from las_jupyter import __version__

        print(__version__)
        return 0
    if words[:1] in (["completion"], ["__complete"]):
        from las_jupyter.cli.shells import completion

        return completion(words)
    if not words:
        words = ["help"]
    return _answer(parse(words, SWITCHES), asked)


def _answer(command: Command, asked: Asked) -> int:
    from las_jupyter.stack.dispatch import perform
    from las_jupyter.stack.verbs import default_stack

    _refuse_what_needs_a_kernel(command)
    values = command.values
    if command.verb is BY_NAME["logs"] and values.pop("follow", False) and not command.help:
        for line in default_stack().follow(values.get("name"), tail=values.get("tail") or 10):
            print(json.dumps(line) if asked.json else line, flush=True)
        return 0
    _print(perform(default_stack(), command, prefix=PREFIX), asked)
    return 0


def _refuse_what_needs_a_kernel(command: Command) -> None:
    name = command.verb.name if command.verb and not command.help else ""
    if name == "panel":
        raise BadRequest("The panel needs a notebook.", remedy=f"here: {PREFIX} status, {PREFIX} logs NAME -f")
    if name == "traceback":
        raise BadRequest(
            "A terminal keeps no error to show the frames of.",
            remedy=f"run the command again as: {PREFIX} --traceback …",
        )
    if name == "start" and command.values.get("lifetime") == "kernel":
        raise BadRequest(
            "--lifetime kernel needs a notebook kernel.",
            cause="this command ends at once, and the instance with it",
            remedy=f"leave it out, and end it by: {PREFIX} stop NAME",
        )


def _print(answer: Any, asked: Asked) -> None:
    from las_jupyter.display.data import as_data
    from las_jupyter.display.text import LogText

    if asked.json:
        _print_json(as_data(answer))
    else:
        print(repr(answer) if isinstance(answer, LogText) else seen(_as_text(answer)))


def _print_json(data: Any) -> None:
    print(escaped(json.dumps(data, ensure_ascii=False, indent=2)))


def _as_text(answer: Any) -> str:
    """For a person, within the width of the terminal; for a pipe, a row a line."""
    from las_jupyter.display.table import Table

    if isinstance(answer, Table) and sys.stdout.isatty():
        return answer.text(shutil.get_terminal_size().columns, in_terminal)
    if isinstance(answer, Table):
        return answer.text(say=in_terminal)
    told = getattr(answer, "told", None)
    return str(told(in_terminal)) if told else repr(answer)


def _show_error(error: LasError, asked: Asked) -> None:
    if asked.traceback:
        traceback.print_exception(error)
        return
    if asked.json:
        from las_jupyter.display.data import error_data

        data = error_data(error)
        data["error"]["remedy"] = in_terminal(error.remedy) if error.remedy else error.remedy
        _print_json(data)
        return
    print("\n".join(_in_terminal_words(error.lines())), file=sys.stderr)


def _in_terminal_words(lines: list[str]) -> list[str]:
    """Only the next step is ours to say in other words; what comes before it may be anybody's."""
    return [in_terminal(line) if line.startswith(NEXT_STEP) else line for line in lines]
