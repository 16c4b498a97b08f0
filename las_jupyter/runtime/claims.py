"""
Ports that belong to a start before its server listens on them.

A server may need minutes until it listens, and until then the kernel calls its port free. So a start writes its ports
into one list under one lock; from the first instruction on, the spec of the running instance says the same.
"""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import LasError, LaunchFailed, PortTaken
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.wire import from_data, to_data
from las_jupyter.state.files import read_bytes, read_value, write_atomic
from las_jupyter.state.lock import Lock, is_held
from las_jupyter.state.paths import StatePaths

_LOCK_WAIT = 5.0
_GRACE = 5.0
"""Seconds a claim outlives its client: a supervisor that it asked for may be about to take the instance's lock."""


class Claim(NamedTuple):
    """``port`` was claimed for ``name`` at ``at``, in seconds since the epoch; its client holds the start lock."""

    port: int
    name: str
    at: float


class PortClaims:
    """The claims of one state folder."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths
        self._file = os.path.join(paths.state_dir, "ports.json")

    def taken(self, but: str) -> dict[int, str]:
        """Who has which port, except ``but``, as ``the instance chat``, by claims and by what runs."""
        found = {claim.port: _owner(claim.name) for claim in self._valid() if claim.name != but}
        for name in self._living():
            spec = None if name == but else read_value(self._paths.spec(name), LaunchSpec)
            found |= {port.host: _owner(name) for port in (spec.ports if spec else ()) if port.host}
        return found

    def claim(self, spec: LaunchSpec) -> None:
        """
        Take all ports of ``spec`` for its name, or none; the caller holds the start lock of that name.

        Raises ``PortTaken`` naming the instance that has one.
        """
        if not spec.ports:
            return
        with _Locked(self._file):
            taken = self.taken(but=spec.name)
            for port in spec.ports:
                if port.host in taken:
                    raise PortTaken(
                        f"Port {port.host} is taken.",
                        cause=f"{taken[port.host]} has it",
                        remedy=f"%las start {word(spec.module)} --port 0 takes a free one",
                    )
            ours = [Claim(port.host, spec.name, time.time()) for port in spec.ports if port.host]
            self._write([*(claim for claim in self._valid() if claim.name != spec.name), *ours])

    def release(self, name: str) -> None:
        """Forget the claims of ``name``: its server is launched, or never will be."""
        if os.path.exists(self._file):
            with _Locked(self._file):
                self._write([claim for claim in self._valid() if claim.name != name])

    def _living(self) -> list[str]:
        try:
            names = os.listdir(self._paths.instances)
        except FileNotFoundError:
            return []
        return [name for name in names if self._supervised(name)]

    def _supervised(self, name: str) -> bool:
        try:
            held = is_held(self._paths.lock(name))
        except LasError:
            return False  # not a folder of ours
        last = read_value(self._paths.state(name), Snapshot) if held else None
        return held and (last is None or last.state.alive)  # one that ended keeps its supervisor for a moment

    def _valid(self) -> list[Claim]:
        """The claims that still mean something. A list that cannot be read holds none: at worst a start fails."""
        try:
            rows = json.loads(read_bytes(self._file) or b"[]")
            claims = [from_data(Claim, row) for row in rows]
        except (ValueError, TypeError, OSError, RecursionError):
            return []
        return [claim for claim in claims if self._pending(claim)]

    def _pending(self, claim: Claim) -> bool:
        if 0 <= time.time() - claim.at < _GRACE:
            return True
        try:
            return is_held(self._paths.start_lock(claim.name))
        except LasError:
            return False

    def _write(self, claims: list[Claim]) -> None:
        try:
            write_atomic(self._file, json.dumps([to_data(claim) for claim in claims]).encode())
        except OSError as error:
            raise LaunchFailed(
                "No port can be claimed.",
                cause=f"{os.strerror(error.errno or 0)} ({self._file})",
                remedy=f"df -h {word(os.path.dirname(self._file))}",
            ) from error


class _Locked:
    """The lock beside the list, held for the few reads and one write in between."""

    def __init__(self, file: str) -> None:
        self._lock = Lock(f"{file.removesuffix('.json')}.lock")

    def __enter__(self) -> None:
        if not self._lock.acquire(wait=_LOCK_WAIT):
            raise LaunchFailed(
                "No port can be claimed.",
                cause=f"another process has held {self._lock.path} for {_LOCK_WAIT:g} s",
                remedy=f"look who it is: fuser {word(self._lock.path)}",
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _owner(name: str) -> str:
    return f"the instance {name}"
