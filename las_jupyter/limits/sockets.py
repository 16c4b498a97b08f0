"""
The TCP sockets of this machine as the kernel lists them: who listens where, and who has the other end of a connection.

The kernel is asked for exactly what is wanted (``sock_diag``): 40 µs. Reading ``/proc/net/tcp`` walks the table of all
connections there could be, 10 ms on a machine with much memory, and is the second way, for sandboxes without the first.
"""

from __future__ import annotations

import _socket as socket  # the module around it brings selectors and a hundred enums along
import errno
import os
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

_LISTEN = 10
_NETLINK, _SOCK_DIAG = 16, 4
_BY_FAMILY, _ERROR, _DONE = 20, 2, 3
_REQUEST, _DUMP = 0x1, 0x300
_HEADER, _QUESTION, _ANSWER = struct.Struct("=IHHII"), struct.Struct("=BBBxI"), struct.Struct("=BB2xHH16s40xII")
_ANY_INTERFACE = bytes(4)
_ANY_COOKIE = b"\xff" * 8
_AT_ONCE = 32 * 1024
_TRIES = 3
LOOPBACK = b"\x7f\0\0\1"
MAPPED = bytes(10) + b"\xff\xff"
"""How the address of a version 6 socket begins that stands for one of version 4."""
_LOOPBACK_6 = bytes(15) + b"\1"


class Socket(NamedTuple):
    """
    One socket of this network namespace. ``address`` is in network order, 4 or 16 bytes, ``uid`` is whose it is.

    ``inode`` is 0 as long as no process has it: a connection that waits to be accepted.
    """

    address: bytes
    port: int
    inode: int
    uid: int
    listens: bool = True

    @property
    def text(self) -> str:
        """As ``0.0.0.0:8080`` or ``[::]:8080``."""
        if len(self.address) == 4:
            return f"{socket.inet_ntop(socket.AF_INET, self.address)}:{self.port}"
        return f"[{socket.inet_ntop(socket.AF_INET6, self.address)}]:{self.port}"


def is_loopback(address: bytes) -> bool:
    """Whether only this machine can reach what listens on ``address``."""
    if len(address) == 4:
        return address[0] == 127
    return address == _LOOPBACK_6 or (address.startswith(MAPPED) and address[12] == 127)


def listening() -> list[Socket]:
    """All that listen on TCP in this network namespace."""
    if _has_diag():
        return [*_listening(socket.AF_INET), *_listening(socket.AF_INET6)]
    return list(_files().listening())


def answering(port: int, client: int = 0) -> Socket | None:
    """
    What has the connection from 127.0.0.1:``client`` to 127.0.0.1:``port``, or would have a new one; None when nobody.

    A connection that nobody accepted yet waits at a listener. That one lives as long as the connection waits and no
    other can listen beside it, so that the listener seen in between two looks at the waiting connection is the one.
    Raises ``OSError`` when it cannot be asked now, for want of descriptors perhaps.
    """
    look = _look_up if _has_diag() else _files().look_through
    found = look(port, client)
    for _ in range(_TRIES):
        if found is None or found.listens or found.inode:
            return found
        listener, again = look(port, 0), look(port, client)
        if again == found:
            return listener
        found = again
    return None


def held(pid: int, inodes: Iterable[int]) -> set[int] | None:
    """Those of these sockets that the process has open; None when we may not look. Raises ``OSError``."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    folder = f"/proc/{pid}/fd"
    try:
        entries = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return set()
    except PermissionError:
        return None
    return {wanted[link] for link in _links(folder, entries) if link in wanted}


def _links(folder: str, entries: list[str]) -> Iterator[str]:
    for entry in entries:
        try:
            yield os.readlink(f"{folder}/{entry}")
        except OSError:
            continue


def holder(port: int) -> int | None:
    """The process that answers on ``port``, as far as we may look; for a sentence, never for a signal."""
    try:
        found = answering(port)
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()] if found else []
        return next((pid for pid in pids if found and held(pid, (found.inode,))), None)
    except OSError:
        return None


# ---- the kernel's own word


_works: list[bool] = []


def _has_diag() -> bool:
    """Whether the kernel can be asked, found out once: a refusal of one question looks like "there is none"."""
    if not _works:
        try:
            _listening(socket.AF_INET)
            _works.append(True)
        except OSError:
            _works.append(False)
    return _works[0]


def _files() -> ModuleType:
    from las_jupyter.limits import socket_files  # only where it is needed: every supervisor would pay for it

    return socket_files


def _listening(family: int) -> list[Socket]:
    """Raises ``OSError`` where the kernel cannot be asked; one without IPv6 has no listeners of it."""
    try:
        return list(_ask(family, _DUMP, 1 << _LISTEN, bytes(48)))
    except OSError as error:
        if family == socket.AF_INET6 and error.errno == errno.ENOENT:
            return []
        raise


def _look_up(port: int, client: int) -> Socket | None:
    """By the kernel's own rule of who gets a packet: the connection, else the listener that fits best."""
    ends = struct.pack("!HH", port, client) + 2 * (LOOPBACK + bytes(12))
    try:
        return next(_ask(socket.AF_INET, 0, 0xFFFFFFFF, ends + _ANY_INTERFACE + _ANY_COOKIE), None)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise


def _ask(family: int, flags: int, states: int, which: bytes) -> Iterator[Socket]:
    length = _HEADER.size + _QUESTION.size + len(which)
    asked = _HEADER.pack(length, _BY_FAMILY, _REQUEST | flags, 1, 0)
    asking = socket.socket(_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)
    try:
        asking.send(asked + _QUESTION.pack(family, socket.IPPROTO_TCP, 0, states) + which)
        while True:
            data = asking.recv(_AT_ONCE)
            while data:
                size, kind = _HEADER.unpack_from(data)[:2]
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", data, _HEADER.size)[0]
                    raise OSError(code, os.strerror(code))
                if kind == _DONE:
                    return
                yield _parsed(data)
                if not flags:
                    return
                data = data[(size + 3) & ~3 :]
    finally:
        asking.close()


def _parsed(message: bytes) -> Socket:
    family, state, port, _, source, uid, inode = _ANSWER.unpack_from(message, _HEADER.size)
    address = source[:4] if family == socket.AF_INET else source
    return Socket(address, int.from_bytes(port.to_bytes(2, sys.byteorder), "big"), inode, uid, state == _LISTEN)
