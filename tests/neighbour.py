"""A machine of the same network that sends whatever it likes to this one: a network namespace beside ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from required import missing

OURS, THEIRS = "198.18.7.1", "198.18.7.2"  # of the range kept for such tests (RFC 2544)
_CONNECT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])) as there:
        there.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        sys.exit(0 if there.recv(1) else 4)
except OSError:
    sys.exit(3)
"""
_SERVE = """
import socket, sys
there = socket.create_server((sys.argv[1], 0))
print(there.getsockname()[1], flush=True)
while True:
    with there.accept()[0] as client:
        client.sendall(b"a word of the neighbour\\n")
"""
_ANSWERS_WITHIN = 1.0  # seconds; on one machine an answer takes less than one of them's hundredth


class Neighbour:
    """It routes by way of this machine everything it does not know, the range of container networks included."""

    def __init__(self, name: str) -> None:
        self._name = name

    def reaches(self, address: str, port: int) -> bool:
        """Whether a server at ``address`` answers it."""
        words = ["python3", "-c", _CONNECT, address, str(port), str(_ANSWERS_WITHIN)]
        done = subprocess.run(["nsenter", f"--net=/run/netns/{self._name}", *words], capture_output=True, check=False)
        assert done.returncode in (0, 3, 4), done.stderr
        return done.returncode == 0

    @contextmanager
    def serving(self) -> Iterator[tuple[str, int]]:
        """A server of its own, at the address and port that are given."""
        inside = ["nsenter", f"--net=/run/netns/{self._name}"]
        server = subprocess.Popen([*inside, "python3", "-c", _SERVE, THEIRS], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            yield THEIRS, int(server.stdout.readline())
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


@contextmanager
def neighbour(policy: str) -> Iterator[Neighbour]:
    """One whose packets this machine's own rules leave to ``policy``, ACCEPT or DROP, when nothing else decides."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("iptables"):
        missing("neighbour", "only root can make a network namespace, by ip and iptables")
    name, here, there = f"las-nb-{os.getpid()}", f"lasn{os.getpid()}", f"lasm{os.getpid()}"
    last = ["FORWARD", "-i", here, "-j", policy]
    try:
        _ask("ip", "netns", "add", name)
        _ask("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        _ask("ip", "addr", "add", f"{OURS}/30", "dev", here)
        _ask("ip", "link", "set", here, "up")
        inside = ("ip", "-n", name)
        _ask(*inside, "addr", "add", f"{THEIRS}/30", "dev", there)
        _ask(*inside, "link", "set", there, "up")
        _ask(*inside, "route", "add", "default", "via", OURS)
        # It may also send packets to 127.0.0.1, which are to reach nobody: its own loopback is down.
        route_localnet = "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet"
        _ask("nsenter", f"--net=/run/netns/{name}", "unshare", "--mount", "sh", "-c",
             f"mount -t proc proc /proc; {route_localnet}")  # fmt: skip
        _ask(*inside, "route", "add", "127.0.0.0/8", "via", OURS, "dev", there)
        _ask("iptables", "-w", "-A", *last)
        forwards = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
        assert forwards == "1", "an engine with bridges has this machine forward packets"
        yield Neighbour(name)
    finally:
        _quietly("iptables", "-w", "-D", *last)
        _quietly("ip", "link", "del", here)
        _quietly("ip", "netns", "del", name)


def _ask(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=20)


def _quietly(*words: str) -> None:
    subprocess.run(words, check=False, capture_output=True, timeout=20)
