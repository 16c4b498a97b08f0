"""The sockets of this machine from ``/proc/net``, where the kernel cannot be asked for single ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from las_jupyter.limits.sockets import LOOPBACK, MAPPED, Socket

_TABLES = (("/proc/net/tcp", 4), ("/proc/net/tcp6", 16))
_LISTENS, _CONNECTED = b"0A", b"01"


def listening() -> list[Socket]:
    """All that listen."""
    return [each for each, _ in _rows() if each.listens]


def look_through(port: int, client: int) -> Socket | None:
    """What has the connection, else the listener that the kernel would choose: the address itself before all."""
    reach = (LOOPBACK, MAPPED + LOOPBACK, bytes(4), bytes(16))
    found = [(each, other) for each, other in _rows() if each.port == port and each.address in reach]
    connection = next((each for each, other in found if client and not each.listens and other == client), None)
    listeners = [each for each, _ in found if each.listens]
    return connection or min(listeners, key=lambda each: reach.index(each.address), default=None)


def _rows() -> Iterator[tuple[Socket, int]]:
    """Each socket that listens or is connected, with the port at its other end."""
    for table, length in _TABLES:
        try:
            with open(table, "rb", buffering=4096) as file:
                for line in file:  # never whole: a busy machine has thousands, and we would keep the memory
                    words = line.split(None, 10)
                    if words[3] in (_LISTENS, _CONNECTED):
                        local, port = words[1].split(b":")
                        address, other = _in_order(local, length), int(words[2].split(b":")[1], 16)
                        yield Socket(address, int(port, 16), int(words[9]), int(words[7]), words[3] == _LISTENS), other
        except OSError:
            continue


def _in_order(digits: bytes, length: int) -> bytes:
    """The kernel prints addresses as words of four bytes in the order of the machine."""
    words = (int(digits[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, 2 * length, 8))
    return b"".join(words)
