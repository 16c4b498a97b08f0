"""
The one network in Docker that all containers of a user are on, closed to other machines and other containers.

Docker before 28 lets whoever routes to a container's address pass to each port that it publishes, and whoever sends
packets for 127.0.0.1 to this machine pass to those that are published there (decision 0053). As root we close that with
two rules of our own; later versions do it themselves.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docker import errors

from las_jupyter.backends.oci import OWNER, EngineError
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.state.custody import closed_path

_CLOSES_ITSELF = (1, 48)  # the API of Docker 28.0
_NO_TALK = {"com.docker.network.bridge.enable_icc": "false"}
_BRIDGE = "com.docker.network.bridge.name"
_CAP_NET_ADMIN = 12
_LOCK = "/run/las_jupyter-network.lock"  # root's alone, as the rules are
_PATIENCE = 10  # seconds; two milliseconds are usual, others may hold the lock of the tables


def network_name() -> str:
    """Its name, and its bridge's: 14 characters at most, and the kernel takes 15."""
    return f"las-{os.getuid()}"


def ensure_network(api: Any) -> str:
    """
    The name of the network, made and closed where it is not yet.

    Raises ``LaunchFailed`` where a network of that name is not ours, ``EngineError`` where it cannot be closed.
    """
    with _alone():
        found = _found(api) or _made(api)
        if not _is_ours(found):
            raise LaunchFailed(
                "The container was not created.",
                cause=f"Docker's network {network_name()} is not as las_jupyter makes it; it was not touched",
                remedy=f"docker network rm {network_name()}",
            )
        if must_close(api) and is_here():
            _close()
    return network_name()


def drop_network(api: Any) -> None:
    """Remove it once none of our containers is on it; Docker refuses while one is."""
    with _alone():
        found = _found(api)
        if found is None or not _is_ours(found) or found.get("Containers"):
            return
        here = is_here()
        try:
            api.remove_network(network_name())
        except errors.APIError:
            return  # somebody began meanwhile
        if here and must_close(api):
            _open()


def must_close(api: Any) -> bool:
    """Whether this Docker leaves closing to others."""
    return tuple(int(part) for part in str(api._version).split(".")) < _CLOSES_ITSELF


def can_close(api: Any, endpoint: str) -> bool:
    """Whether we may write rules for that engine's bridges: as root, in the network that they are in."""
    if not endpoint.startswith("unix://") or not _may_filter():
        return False
    try:
        bridge = api.inspect_network("bridge")["Options"][_BRIDGE]
    except (errors.APIError, KeyError, TypeError):
        return False
    return is_here(str(bridge))


def is_here(bridge: str | None = None) -> bool:
    """Whether the bridge is in our network namespace, and not in another or on another machine."""
    try:
        return socket.if_nametoindex(bridge or network_name()) > 0
    except OSError:
        return False


def _found(api: Any) -> dict[str, Any] | None:
    try:
        return dict(api.inspect_network(network_name()))
    except errors.NotFound:
        return None


def _made(api: Any) -> dict[str, Any]:
    name = network_name()
    try:
        api.create_network(
            name, driver="bridge", options={**_NO_TALK, _BRIDGE: name}, labels={OWNER: str(os.getuid())},
            check_duplicate=True,
        )  # fmt: skip
    except errors.APIError:
        found = _found(api)  # another start of ours was faster
        if found is None:
            raise
        return found
    return dict(api.inspect_network(name))


def _is_ours(network: dict[str, Any]) -> bool:
    options, labels = network.get("Options") or {}, network.get("Labels") or {}
    return labels.get(OWNER) == str(os.getuid()) and _NO_TALK.items() <= options.items()


def _rules() -> tuple[tuple[str, ...], ...]:
    """
    What comes to the bridge from elsewhere and is no answer, and was not let in by a port that is published; and what
    was sent for 127.0.0.1 by another machine. Ahead of Docker's own: these are asked before any that accept.
    """
    bridge = network_name()
    onto = ("FORWARD", "!", "-i", bridge, "-o", bridge, "-m", "conntrack")
    return (
        (*onto, "!", "--ctstate", "RELATED,ESTABLISHED,DNAT", "-j", "DROP"),
        (*onto, "--ctorigdst", "127.0.0.0/8", "-j", "DROP"),
    )


def _close() -> None:
    if not _may_filter():
        return  # plan and doctor say so
    for rule in _rules():
        if not _iptables("-C", rule)[0]:
            done, said = _iptables("-I", rule)
            if not done:
                raise EngineError(f"its network cannot be closed to other machines: iptables says {said}")


def _open() -> None:
    """A rule for a bridge that is gone does nothing; it is removed for the sake of whoever reads them."""
    if _may_filter():
        for rule in _rules():
            while _iptables("-D", rule)[0]:
                pass


def _iptables(what: str, rule: tuple[str, ...]) -> tuple[bool, str]:
    words = ["iptables", "--wait", "--table", "mangle", what, *rule]
    try:
        done = subprocess.run(
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE, check=False,
            env={**os.environ, "PATH": closed_path()},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stderr.decode(errors="replace").strip()


def _may_filter() -> bool:
    if os.geteuid() != 0 or shutil.which("iptables", path=closed_path()) is None:
        return False
    status = Path("/proc/self/status").read_text().splitlines()
    capabilities = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(capabilities, 16) >> _CAP_NET_ADMIN & 1)


@contextmanager
def _alone() -> Iterator[None]:
    """One start or end at a time, so that nobody takes away the rules that another has just asked for."""
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600) if _may_filter() else None
    except OSError:
        lock = None  # a /run that cannot be written: two at once are rare, and the next start adds what is missing
    try:
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        if lock is not None:
            os.close(lock)
