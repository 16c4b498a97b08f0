"""Whether a socket belongs to a process tree: an answer counts, and a key is sent, only when it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from las_jupyter.core.backend import OpenListener
from las_jupyter.limits import sockets
from las_jupyter.limits.sockets import Socket, held
from las_jupyter.limits.tree import Proc

_ROOT = 0
_LOOKS = 2


def owned_by(pids: Iterable[int], socket: Socket | None) -> bool | None:
    """
    Whether one of ``pids`` has ``socket``; None when there is none, or it cannot be told.

    Where a process may not be looked into, the kernel still tells whose socket it is: another user's is not ours.
    """
    if socket is None:
        return None
    hidden = False
    for pid in pids:
        found = held(pid, (socket.inode,))
        if found:
            return True
        hidden = hidden or found is None
    return None if hidden and not is_foreign(socket) else False


def is_foreign(socket: Socket) -> bool:
    """Whether it is of another user, who is not root either: root needs no port to read what we send."""
    return socket.uid not in (os.getuid(), _ROOT)


class OpenSockets:
    """
    Looks for what one tree has open to the network.

    A socket that was somebody else's at two looks stays that: on most machines the same few are open for weeks, and
    looking through every descriptor of a tree costs a thousand times what listing them does. Two, since a descriptor
    can pass from one process to the next behind a look at both.
    """

    def __init__(self) -> None:
        self._others: dict[int, int] = {}

    def look(self, tree: Callable[[], Iterable[Proc]]) -> tuple[OpenListener, ...]:
        """What listens beyond this machine and belongs to one of ``tree``, which is called when it is needed."""
        beyond = {each.inode: each for each in sockets.listening() if not sockets.is_loopback(each.address)}
        self._others = {inode: seen for inode, seen in self._others.items() if inode in beyond}
        fresh = {inode: each for inode, each in beyond.items() if self._others.get(inode, 0) < _LOOKS}
        if not fresh:
            return ()
        owners = {inode: process for process in tree() for inode in held(process.pid, fresh) or ()}
        for inode in fresh.keys() - owners.keys():
            self._others[inode] = self._others.get(inode, 0) + 1
        return tuple(
            OpenListener(fresh[inode].text, fresh[inode].port, process.name, process.pid)
            for inode, process in owners.items()
        )
