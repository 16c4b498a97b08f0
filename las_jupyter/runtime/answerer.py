"""
Whether an instance answers on its own port at this moment: asked by the clients before they send anything.

The supervisor looks every few seconds; whoever holds a key and is about to send it looks itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from las_jupyter.backends.listeners import is_foreign, owned_by
from las_jupyter.core.advice import word
from las_jupyter.core.errors import PortTaken
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode
from las_jupyter.limits import sockets
from las_jupyter.limits.tree import members, read_process


def check_answerer(snapshot: Snapshot, port: int, client: int = 0) -> None:
    """
    Raise ``PortTaken`` when what answers on 127.0.0.1:``port`` is provably not of the instance.

    With ``client``, a port of this process, it is about the connection that begins there.
    """
    if _is_answerer(snapshot, port, client) is not False:
        return
    pid = sockets.holder(port)
    process = read_process(pid) if pid else None
    who = f"{process.name} (process {process.pid})" if process else "a program of another user"
    raise PortTaken(
        f"Port {port} is not answered by {snapshot.name}, so nothing was sent.",
        cause=f"{who} listens there; {snapshot.name} is {snapshot.state}",
        remedy=f"%las status {word(snapshot.name)}",
    )


def _is_answerer(snapshot: Snapshot, port: int, client: int) -> bool | None:
    found = sockets.answering(port, client)
    if found is None:
        return None
    if port not in {each.host for each in snapshot.ports} or not snapshot.state.alive:
        return False
    if snapshot.mode is Mode.CONTAINER:
        # An engine listens for it, as root or as this user, and for as long as the container is there.
        return False if is_foreign(found) or snapshot.container_id is None else None
    return owned_by(_tree(snapshot), found)


def _tree(snapshot: Snapshot) -> Iterator[int]:
    """Its processes, main first: mostly it is the one, and the whole machine need not be looked through."""
    if snapshot.pid is None:
        return
    yield snapshot.pid
    yield from (process.pid for process in members(snapshot.pid, snapshot.supervisor_pid))
