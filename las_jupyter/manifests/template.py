"""
Filling ``{name}`` in argv and env from a closed set of names; anything else is an error.

A brace that is meant as a brace is doubled, ``{{`` or ``}}``. An entry of argv that is itself a list is an optional
group: it is left out as a whole when one of its names has no value here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from las_jupyter.core.errors import InvalidManifest

NAMES: dict[str, str] = {
    "engine": "the command line that begins the program found for `needs`, one word or several",
    "python": "the Python that runs Jupyter's kernel",
    "package_dir": "the folder of this package",
    "model": "what the engine is told to load: a file, a folder or a repository's name",
    "alias": "the name under which the model is served",
    "host": "the address to listen on: 127.0.0.1, inside a container 0.0.0.0",
    "port": "the first port",
    "data_dir": "the instance's own folder, kept between starts; inside a container `container.data`",
    "context": "tokens of context, when asked for or when less than the model's own fits",
    "gpu_count": "how many GPUs the instance may use, when it may use any",
    "cpu_cache_gib": "whole GiB of KV cache, for an engine that serves by the processor and takes what it is told",
    "gpu_layers": "layers to put on the GPU, when not all fit",
    "gpu_memory_utilization": "the share of a GPU's memory that is free for this instance, as 0.85",
    "prompt_cache_mib": "MiB of memory for prompts kept between requests, 0 where there is no room for them",
    "threads": "processor cores the instance may use, when it is limited",
}
"""What a manifest may write in braces, and what it means; besides these the families below."""

FAMILIES: dict[str, str] = {
    "port": "`{port:NAME}`: the port of that name",
    "secret_file": "`{secret_file:NAME}`: the path of the 0600 file that holds the secret",
}

Word = str | Sequence[str]
Values = Mapping[str, str | Sequence[str]]

_MARK = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fill(argv: Sequence[Word], values: Values) -> tuple[str, ...]:
    """
    ``argv`` with every mark filled. A word that is a mark alone may become several words, or none.

    ``{secret_file:NAME}`` stays: the backend knows the path. What was filled in is not looked at again. Raises
    ``InvalidManifest`` for a name that is not known, or has no value outside an optional group.
    """
    filled: list[str] = []
    for entry in argv:
        if isinstance(entry, str):
            filled.extend(_fill_word(entry, values))
        elif all(_has_value(name, values) for name in names_in([entry])):
            for word in entry:
                filled.extend(_fill_word(word, values))
    return tuple(filled)


def can_fill(text: str, values: Values) -> bool:
    """Whether every name in ``text`` has a value for this start."""
    return all(_has_value(name, values) for name in names_in([text]))


def is_one_name(text: str) -> bool:
    """Whether ``text`` is one name in braces and nothing else."""
    found = _MARK.fullmatch(text)
    return found is not None and found[1] is not None


def fill_text(text: str, values: Values) -> str:
    """``text`` with every mark filled, for env values. Raises ``InvalidManifest``."""
    return " ".join(_fill_word(text, values)) if text else text


def names_in(argv: Sequence[Word]) -> set[str]:
    """The names that stand in braces, families with theirs: ``port:http``."""
    return {found[1] for word in _words(argv) for found in _MARK.finditer(word) if found[1] is not None}


def mistake(word: str) -> str | None:
    """What is wrong with the braces of ``word``, as a clause that names the nearest valid word; or None."""
    for found in _MARK.finditer(word):
        if found[0] in ("{", "}"):
            return f"{found[0]!r} stands alone; a brace that is meant as one is written twice"
        if found[1] is not None and not _known(found[1]):
            return f"{{{found[1]}}} is not a name that can be filled in; {_nearest(found[1])}"
    return None


def _words(argv: Sequence[Word]) -> Iterator[str]:
    for entry in argv:
        if isinstance(entry, str):
            yield entry
        else:
            yield from entry


def _known(key: str) -> bool:
    family, colon, name = key.partition(":")
    return bool(name) and family in FAMILIES if colon else key in NAMES


def _nearest(key: str) -> str:
    words = [*NAMES, *(f"{family}:NAME" for family in FAMILIES)]
    near = difflib.get_close_matches(key, words, 1, 0.5)
    return f"did you mean {{{near[0]}}}?" if near else f"the names are {', '.join(sorted(words))}"


def _has_value(key: str, values: Values) -> bool:
    return key.startswith("secret_file:") or bool(values.get(key))


def _fill_word(word: str, values: Values) -> Sequence[str]:
    whole = _MARK.fullmatch(word)
    if whole and whole[1] is not None:
        value = _value(whole[1], values)
        return (value,) if isinstance(value, str) else value
    return (_MARK.sub(lambda found: _text(found, values), word),)


def _text(found: re.Match[str], values: Values) -> str:
    if found[0] in ("{{", "}}"):
        return found[0][0]
    if found[1] is None:
        raise InvalidManifest(f"{found.string!r} cannot be filled in.", cause=mistake(found.string))
    value = _value(found[1], values)
    return value if isinstance(value, str) else " ".join(value)


def _value(key: str, values: Values) -> str | Sequence[str]:
    if key in values:
        return values[key]
    if not _known(key):
        raise InvalidManifest(f"{{{key}}} cannot be filled in.", cause=_nearest(key))
    if key.startswith("secret_file:"):
        return f"{{{key}}}"
    raise InvalidManifest(
        f"{{{key}}} has no value for this start.", remedy="write the words that use it as an optional group, a list"
    )
