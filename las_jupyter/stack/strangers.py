"""Servers that run here already and were not started by us: whether one is the module somebody wants."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, NoSuchInstance
from las_jupyter.core.launch import HttpProbe
from las_jupyter.manifests import lower
from las_jupyter.resources.asking import OfUser, ask
from las_jupyter.resources.ports import listener, listening_pid, listening_uid

if TYPE_CHECKING:
    from las_jupyter.manifests.catalog import Entry

_LONGEST = 4096
"""Letters of an answer, its head first: what is quadratic takes 16 times as long here as in a line of a log."""
_UNIT = re.compile(r"/([^/\n]+\.service)$", re.MULTILINE)
_OF_THE_SYSTEM = re.compile(r"^\d+:[^:\n]*:/system\.slice/(?:[^\n]*/)?([^/\n]+\.service)$", re.MULTILINE)
_ROOT, _FIRST_PERSON = 0, 1000


class Stranger(NamedTuple):
    """
    A server of ``module`` that listens on 127.0.0.1:``port``.

    ``who`` names its process and user as far as we may see them, ``unit`` the service of systemd it belongs to, ``uid``
    is whose socket it is.
    """

    module: str
    port: int
    who: str
    uid: int
    pid: int | None = None
    unit: str | None = None
    probe: HttpProbe | None = None
    provides: tuple[str, ...] = ()
    api_path: str = ""


def is_trusted(uid: int) -> bool:
    """
    Whether a server of that user may be asked and sent a key: ours, root's, or that of a service of this machine.

    Anybody may listen on a port that is free. A system account belongs to no person, and only root gives it a service.
    """
    return uid in (os.getuid(), _ROOT) or (uid < _FIRST_PERSON and service_of(uid) is not None)


def service_of(uid: int, proc: str = "/proc") -> str | None:
    """The service of the system that runs as that user, from the control groups, which everybody may read."""
    for entry in os.scandir(proc):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found = _OF_THE_SYSTEM.search(Path(entry.path, "cgroup").read_text())
                if found:
                    return found[1]
        except OSError:
            continue
    return None


def answers_as(entry: Entry, port: int, of_user: OfUser = is_trusted) -> bool:
    """
    Whether what listens on ``port`` says of itself that it is this module. False where no manifest says how.

    A manifest that is not trusted chooses no page to ask somebody else's server for, and a server of a user that
    ``of_user`` does not want is not asked.
    """
    identity = entry.manifest.identity if entry.trusted else None
    reply = ask(port, identity.path, of_user) if identity else None
    if identity is None or reply is None:
        return False
    return re.search(identity.pattern, f"{reply.head}\n\n{reply.body}"[:_LONGEST]) is not None


def find_stranger(entry: Entry, port: int | None, ours: dict[int, str], *, foreign: bool = False) -> Stranger:
    """
    The server of this module on ``port``, or on the module's own. ``ours`` are the ports that instances have.

    Raises ``BadRequest`` when it cannot be told, is something else, is ours or, unless ``foreign``, another user's, who
    is asked nothing then; ``NoSuchInstance`` when nobody listens.
    """
    manifest = entry.manifest
    name = manifest.name
    if not entry.trusted:
        raise BadRequest(
            f"{name} cannot be attached to.",
            cause=f"{entry.path} would choose what a server of others is asked, and {entry.standing}",
            remedy=entry.how_to_trust,
        )
    if manifest.identity is None or not manifest.ports:
        raise BadRequest(
            f"{name} cannot be attached to.",
            cause="its manifest does not say how one that somebody else started is recognised (identity)",
            remedy="talk to it at its own address",
        )
    number = port or manifest.ports[0].default
    if number in ours:
        raise BadRequest(
            f"What listens on port {number} is not a stranger.",
            cause=f"{ours[number]} has it",
            remedy=f"%las status {word(ours[number].rpartition(' ')[2])}",
        )
    who = listener(number)
    if who is None:
        raise NoSuchInstance(
            f"Nobody listens on 127.0.0.1:{number}.",
            cause=f"no {name} runs there" if port else f"no {name} runs, or it runs on another port",
            remedy=f"%las start {word(name)}" + ("" if port else f", or %las attach {word(name)} --port with its port"),
        )
    uid = listening_uid(number)
    if uid is None or not (foreign or is_trusted(uid)):
        raise BadRequest(
            f"What listens on 127.0.0.1:{number} is another user's.",
            cause=f"it is {who}, who would see the key and every question you send",
            details=("--foreign uses it all the same",),
            remedy=f"%las start {word(name)} starts one of your own",
        )
    if not answers_as(entry, number, lambda other: other == uid or is_trusted(other)):
        raise BadRequest(
            f"What listens on 127.0.0.1:{number} does not answer as {name}.",
            cause=f"it is {who}",
            remedy=f"%las attach {word(name)} --port with the right one, or %las start {word(name)}",
        )
    pid = listening_pid(number)
    probe = lower.live_rule(manifest).probe
    return Stranger(
        name,
        number,
        who,
        uid,
        pid,
        _unit(pid),
        probe if isinstance(probe, HttpProbe) else None,
        tuple(manifest.interfaces.provides),
        manifest.interfaces.api_path or "",
    )


def _unit(pid: int | None) -> str | None:
    try:
        found = _UNIT.search(Path(f"/proc/{pid}/cgroup").read_text())
    except OSError:
        return None
    # A whole session (user@1000.service) is no server's own service.
    return found[1] if found and "@" not in found[1] else None
