"""Who listens on a port of this machine, and which ports are free."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
from collections.abc import Container, Iterable

from las_jupyter.limits.sockets import answering, holder

_MORE = 64
_LOOK_AHEAD = 200


def listener(port: int) -> str | None:
    """
    Who listens on 127.0.0.1:``port``; None when it is free.

    As ``nginx (pid 7)``, with the user where it is not ours; only the user, where we may not see the process.
    """
    return None if _is_free(port) else _named(port)


def _named(port: int) -> str:
    import psutil

    pid = listening_pid(port)
    if pid is not None:
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            user = "" if process.uids().real == os.getuid() else f", user {process.username()}"
            return f"{process.name()} (pid {pid}{user})"
    owner = listening_uid(port)
    return "another program" if owner is None else f"a program of user {_user(owner)}"


def listening_pid(port: int) -> int | None:
    """The process that listens on 127.0.0.1:``port``, where we may see it."""
    return holder(port)


def listening_uid(port: int) -> int | None:
    """Whose socket listens there: the kernel tells everybody the user, though not the process."""
    found = answering(port)
    return found.uid if found else None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free, one that is listened on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int, but: Container[int] = ()) -> tuple[int, ...]:
    """``count`` different ports that are free now and not in ``but``; fewer only where there are no more."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for _ in range(count + _MORE):
            each = stack.enter_context(socket.socket())
            each.bind(("127.0.0.1", 0))
            number = each.getsockname()[1]
            if number not in but:
                found.append(number)
            if len(found) == count:
                break
    return tuple(found)


def next_ports(taken: Iterable[int], but: Container[int]) -> dict[int, int]:
    """For each port of ``taken`` the next free one after it that is not in ``but``; all different."""
    found: dict[int, int] = {}
    for port in taken:
        after = range(port + 1, min(port + 1 + _LOOK_AHEAD, 65536))
        near = next((one for one in after if one not in but and one not in found.values() and _is_free(one)), None)
        if near is not None:
            found[port] = near
    return found
