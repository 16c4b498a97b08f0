"""A magic's line as words."""

from __future__ import annotations

import shlex

from las_jupyter.core.errors import BadRequest


def split_line(line: str) -> tuple[list[str], bool]:
    """
    The words of ``line`` as a shell would split them, and whether a ``;`` at its end silences the answer.

    IPython hands the trailing semicolon on as part of the line. Raises ``BadRequest`` for an open quote.
    """
    text = line.rstrip()
    silenced = text.endswith(";")
    try:
        return shlex.split(text[:-1] if silenced else text), silenced
    except ValueError as error:
        raise BadRequest(
            "The line cannot be split into words.",
            cause=f"{error}".lower().rstrip("."),
            remedy="close the quote, or write \\' and \\\" where a quote is meant",
        ) from error
