"""A house with real supervisors and small servers with bad habits, and the promise that nothing is left of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from las_jupyter.core.launch import HttpProbe, LaunchSpec, LiveRule, LogProbe, Port, ReadyRule, StopRule
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState
from las_jupyter.logs import pieces
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths

FAKE_SERVER = str(Path(__file__).parent / "fake_server.py")
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, within: float = 20.0) -> T:
    """What ``look`` answers once that is true, or a failure saying what was waited for."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.01)


def lives(pid: int | None) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pid_in(path: Path) -> int:
    """The process id a fake server wrote there, once it is there."""
    return int(eventually(lambda: path.exists() and path.read_text(), f"a pid in {path.name}"))


class House:
    """A state folder of its own with its manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = StatePaths(str(folder / "state"), str(folder / "state" / "logs"))
        self.manager = Manager(self.paths)
        self.canary = os.posix_spawnp("sleep", ["sleep", "600"], os.environ)

    def spec(self, *habits: str, name: str = "one", served: bool = False, **changes: Any) -> LaunchSpec:
        """A spec of a fake server; ``served`` gives it a port and an HTTP probe."""
        ports: tuple[Port, ...] = ()
        rules: dict[str, Any] = {"stop": StopRule(grace=5.0), "ready": ReadyRule(LogProbe("^up$"))}
        if served:
            port = free_port()
            ports, habits = (Port("http", port, port),), (*habits, f"port={port}")
            probe = HttpProbe(path="/health", loading=(503,))
            rules |= {"ready": ReadyRule(probe), "live": LiveRule(probe, every=0.1, timeout=0.5)}
        argv = (sys.executable, "-I", "-S", FAKE_SERVER, *habits)
        changes["env"] = {"HOUSE": str(self.folder), **changes.get("env", {})}
        fields = {"fingerprint": repr((argv, changes)), "ports": ports, **rules, **changes}
        return LaunchSpec(name, "fake", Mode.NATIVE, "native", argv, **fields)

    def start(self, *habits: str, **changes: Any) -> Snapshot:
        """Start a fake server and wait until it is ready."""
        spec = self.spec(*habits, **changes)
        self.manager.start(spec, {})
        return self.manager.wait_ready(spec.name, timeout=20)

    def until(self, state: ProcessState, name: str = "one", within: float = 20.0) -> Snapshot:
        """The snapshot once it is in ``state``."""

        def look() -> Snapshot | None:
            found = self.manager.snapshot(name)
            return found if found.state is state else None

        return eventually(look, f"{name} is {state}", within)

    def log(self, name: str = "one") -> bytes:
        """The bytes of the last start."""
        path = self.manager.snapshot(name).log_path
        return pieces.read(path, pieces.head(path), pieces.size(path))

    def kill_supervisor(self, name: str = "one") -> int:
        """KILL the supervisor of ``name`` and return its former pid."""
        pid = self.manager.snapshot(name).supervisor_pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not lives(pid), "the supervisor is dead")
        return pid

    def close(self) -> None:
        """Stop everything, then check that nothing is left and nobody else was hurt."""
        try:
            for snapshot in self.manager.snapshots():
                if snapshot.state.alive:
                    self.manager.stop(snapshot.name, grace=0.5)
            eventually(lambda: not self.processes(), f"nothing is left: {self.processes()}", within=8)
            assert lives(self.canary), "a process that is not ours was ended"
            assert not list(self.folder.rglob("*.tmp"))
        finally:
            for pid in (*self.processes(), self.canary):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(self.canary, 0)

    def processes(self) -> dict[int, str]:
        """Every living process that names this house in its command line or environment."""
        found = {}
        for entry in os.listdir("/proc"):  # noqa: PTH208
            if entry.isdigit() and int(entry) != os.getpid() and lives(int(entry)):
                try:
                    line = Path(f"/proc/{entry}/cmdline").read_bytes()
                    marks = Path(f"/proc/{entry}/environ").read_bytes()
                except OSError:
                    continue
                if os.fsencode(self.folder) in line or b"HOUSE=" + os.fsencode(self.folder) in marks:
                    found[int(entry)] = line.replace(b"\0", b" ").decode(errors="replace")
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An empty house; at its end nothing of it may be left."""
    house = House(tmp_path)
    yield house
    house.close()
