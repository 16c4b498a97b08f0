"""Starting a supervisor so that it belongs to nobody."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import las_jupyter
from las_jupyter.backends.native_tree import MARK
from las_jupyter.core.advice import word
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.states import Mode
from las_jupyter.state.files import edition, plain_here
from las_jupyter.state.paths import StatePaths

_PARENT = Path(las_jupyter.__file__).resolve().parents[1]
_BOOTSTRAP = _PARENT / "las_jupyter" / "supervisor" / "bootstrap.py"
_ON_WAIT_EVERY = 0.3
_LONGEST_COMPLAINTS = 256 * 1024
"""Bytes. One that dies at every start is started again by whoever looks, and each time it says why."""
_COMPLAINT = 16 * 1024  # bytes of supervisor.err in which its last lines are looked for


def spawn(
    paths: StatePaths, name: str, mode: Mode, task: str, on_wait: Callable[[], None] | None = None
) -> dict[str, Any]:
    """
    Start the supervisor of ``name`` and return what it said first. Raises ``LaunchFailed`` if it said nothing.

    ``task`` is ``start`` or ``adopt``; ``on_wait`` is called again and again while this waits.
    An interrupt does no harm: the supervisor goes on.
    """
    errors = Path(paths.instance(name)) / "supervisor.err"
    # A container's supervisor needs the docker package; a native one lives without site-packages.
    flags = ["-I", "-S"] if mode is Mode.NATIVE else ["-I"]
    command = [
        sys.executable,
        *flags,
        str(_BOOTSTRAP),
        str(_PARENT),
        paths.state_dir,
        paths.log_dir,
        name,
        task,
        edition(paths.spec(name)),
    ]
    try:
        child, told = _popen(command, errors)
    except OSError as error:
        raise LaunchFailed(
            f"The supervisor of {name} could not be started.", cause=os.strerror(error.errno or 0), remedy="%las status"
        ) from error
    with os.fdopen(told, "rb") as pipe:
        while on_wait is not None and not select.select([pipe], [], [], _ON_WAIT_EVERY)[0]:
            on_wait()
        line = pipe.readline()
    child.wait()
    if not line:
        tail = _last_lines(str(errors))
        raise LaunchFailed(
            f"The supervisor of {name} died at its start.",
            details=tuple(tail),
            remedy=f"%las status {word(name)}",
        )
    said: dict[str, Any] = json.loads(line)
    return said


def _last_lines(path: str) -> list[str]:
    """What the supervisor complained of last; every supervisor of the instance adds to the file."""
    try:
        fd = plain_here(path)
    except OSError:
        return []
    try:
        begin = max(0, os.fstat(fd).st_size - _COMPLAINT)
        return os.pread(fd, _COMPLAINT, begin).decode(errors="replace").strip().splitlines()[-8:]
    finally:
        os.close(fd)


def _popen(command: list[str], errors: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The child, and the descriptor on which it will say how it went. Nothing stays open when it cannot be made."""
    told, tell = os.pipe()
    try:
        with open(errors, "ab", opener=plain_here) as err:
            if err.tell() > _LONGEST_COMPLAINTS:
                err.truncate(0)
            child = subprocess.Popen(
                [*command, str(tell)],
                stdin=subprocess.DEVNULL,
                stdout=err,
                stderr=err,
                pass_fds=(tell,),
                start_new_session=True,
                cwd="/",
                env={name: value for name, value in os.environ.items() if name != MARK},
            )
    except BaseException:
        os.close(told)
        raise
    finally:
        os.close(tell)
    return child, told
