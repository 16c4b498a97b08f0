"""
What a model reference means: a path, a name of the catalog, ``pypi:PACKAGE==VERSION/FILE`` or ``hf:ORG/REPO[/FILE]``.

``parse`` looks at the words, and at the disk only to tell a folder ``org/repo`` from a repository of that name.
"""

from __future__ import annotations

import difflib
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import UnknownModel
from las_jupyter.models.named import NAMED_MODELS


class Source(StrEnum):
    """Where a model comes from."""

    PATH = "path"
    PYPI = "pypi"
    HF = "hf"


class ModelReference(NamedTuple):
    """
    A model as it was asked for.

    ``text`` is what the user typed. PATH uses ``path`` (absolute, ``~`` expanded); PYPI uses ``package``, ``version``
    and ``file``; HF uses ``repo``, ``revision`` and ``file``, where no file means the whole repository. ``sha256`` and
    ``size`` (bytes) are known for models of the catalog only, and ``download_size`` is what has to be fetched.
    """

    text: str
    source: Source
    path: str = ""
    package: str = ""
    version: str = ""
    repo: str = ""
    revision: str = "main"
    file: str = ""
    sha256: str | None = None
    size: int | None = None
    download_size: int | None = None

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        match self.source:
            case Source.PATH:
                return self.path
            case Source.PYPI:
                return f"the Python package {self.package} {self.version}"
            case Source.HF:
                return f"the Hugging Face repository {self.repo}"

    @property
    def short_name(self) -> str:
        """A name to show and to serve the model under: ``smollm2-135m``, or the file or repository without its path."""
        if self.text in NAMED_MODELS:
            return self.text
        last = Path(self.path or self.file or self.repo).name
        return last.removesuffix(".gguf")


_PYPI = re.compile(
    r"pypi:(?P<package>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9.!+_-]+)/(?P<file>.+)"
)
_HF = re.compile(r"hf:(?P<repo>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:@(?P<revision>[A-Za-z0-9_.-]+))?(?:/(?P<file>.+))?")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")

_PYPI_FORM = "pypi:PACKAGE==VERSION/FILE"
_HF_FORM = "hf:ORG/REPO/FILE, or hf:ORG/REPO for all of it"


def parse(text: str, *, base: Path | None = None) -> ModelReference:
    """
    The reference in ``text``; relative paths start at ``base`` (the working directory).

    Raises ``UnknownModel`` when the words are no reference at all. That a path exists is ``locate``'s question.
    """
    text = text.strip()
    found = _not_a_path(text)
    if found is not None:
        return found
    path = (base or Path.cwd()) / os.path.expanduser(text)  # noqa: PTH111 - Path's raises for a user who is not there
    if text and _is_a_path(text, path):
        return ModelReference(text, Source.PATH, path=os.path.realpath(path))  # which a circle of links does not stop
    if _REPO.fullmatch(text):
        return ModelReference(text, Source.HF, repo=text)
    raise _unknown(text)


def parse_remote(text: str) -> ModelReference:
    """
    The reference in ``text`` that is a name of the catalog, ``pypi:…`` or ``hf:…``, whatever files there are here.

    For words that are not the user's own, which must never mean a file of theirs. Raises ``UnknownModel``.
    """
    found = _not_a_path(text.strip())
    if found is None:
        raise _unknown(text)
    return found


def _not_a_path(text: str) -> ModelReference | None:
    if text in NAMED_MODELS:
        return _named(text)
    if text.startswith("pypi:"):
        return _matched(_PYPI, text, Source.PYPI, _PYPI_FORM)
    if text.startswith("hf:"):
        return _matched(_HF, text, Source.HF, _HF_FORM)
    return None


def _named(name: str) -> ModelReference:
    model = NAMED_MODELS[name]
    return parse(model.reference)._replace(
        text=name, sha256=model.sha256, size=model.size, download_size=model.download_size
    )


def _matched(pattern: re.Pattern[str], text: str, source: Source, form: str) -> ModelReference:
    match = pattern.fullmatch(text)
    if match is None or not _is_inside(match["file"] or ""):
        raise UnknownModel(f"{text!r} is not a model reference.", remedy=f"write it as {form}")
    words = match.groupdict(default="")
    return ModelReference(
        text,
        source,
        package=words.get("package", ""),
        version=words.get("version", ""),
        repo=words.get("repo", ""),
        revision=words.get("revision") or "main",
        file=words["file"],
    )


def _is_inside(file: str) -> bool:
    """Whether ``file`` stays below the folder it is put in."""
    return not file.startswith("/") and ".." not in file.split("/")


def _is_a_path(text: str, path: Path) -> bool:
    try:
        if path.exists():
            return True
    except OSError:  # longer than a name may be
        return False
    if text.startswith(("/", "~", "./", "../")) or text in (".", ".."):
        return True
    return text.lower().endswith((".gguf", ".safetensors", ".bin")) or text.count("/") > 1


def _unknown(text: str) -> UnknownModel:
    close = difflib.get_close_matches(text, NAMED_MODELS, n=1, cutoff=0.5)
    names = ", ".join(NAMED_MODELS)
    return UnknownModel(
        f"No model is called {text!r}.",
        cause=f"the named models are: {names}",
        remedy=f"did you mean --model {word(close[0])}?"
        if close
        else "give a .gguf file, a named model, pypi:… or hf:ORG/REPO/FILE",
    )
