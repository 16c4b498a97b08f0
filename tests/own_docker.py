"""A Docker engine for one test, that may be killed, stopped and started again; it has a network of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from containers import IMAGES
from native_house import eventually
from required import missing


class OwnDocker:
    """Everything it keeps is below ``folder``."""

    def __init__(self, folder: Path, *, live_restore: bool) -> None:
        self.folder, self._live_restore = folder, live_restore
        self.endpoint = f"unix://{folder}/docker.sock"
        self._daemon: subprocess.Popen[bytes] | None = None
        # As Debian runs it: containerd is a service of its own and does not end with the daemon.
        (folder / "containerd.toml").write_text(
            f'version = 2\nroot = "{folder}/c/root"\nstate = "{folder}/c/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{folder}/containerd.sock"\n'
        )
        self._containerd = subprocess.Popen(
            ["containerd", "--config", f"{folder}/containerd.toml", "--log-level", "error"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._command: list[str] = []
        self._group = f"las-docker-{os.getpid()}"
        # The network outlives the daemon, as a machine's does.
        self._network = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && exec sleep 3600"])

    def up(self) -> None:
        """Start the daemon and wait until it answers."""
        eventually(lambda: self._comm(self._network.pid) == "sleep", "the network is there")
        (self.folder / "pid").unlink(missing_ok=True)
        command = [
            "nsenter", f"--net=/proc/{self._network.pid}/ns/net", "dockerd", "--data-root", f"{self.folder}/data",
            "--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid", "--host", self.endpoint,
            "--containerd", f"{self.folder}/containerd.sock",
            "--cgroup-parent", f"/{self._group}", "--log-level", "error",
            *(["--live-restore"] if self._live_restore else []),
        ]  # fmt: skip
        self._command = command
        eventually(self._is_up, "the daemon answers", within=100)

    def _is_up(self) -> bool:
        """Start it, again where it gave up, as systemd does."""
        if self._daemon is None or self._daemon.poll() is not None:
            with (self.folder / "log").open("ab") as log:
                self._daemon = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self._answers()

    def _answers(self) -> bool:
        told = subprocess.run(["docker", "--host", self.endpoint, "version"], capture_output=True, check=False)
        return told.returncode == 0

    def signal(self, what: signal.Signals) -> None:
        """Send the daemon a signal; KILL is waited for."""
        assert self._daemon is not None
        self._daemon.send_signal(what)
        if what is signal.SIGKILL:
            self._daemon.wait()

    def ask(self, *words: str) -> str:
        """What its client answers."""
        done = subprocess.run(["docker", "--host", self.endpoint, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def give_image(self) -> None:
        """The base image of the tests."""
        env = {**os.environ, "DOCKER_HOST": self.endpoint}
        subprocess.run([IMAGES / "base-image", "docker"], check=True, capture_output=True, env=env)

    def close(self) -> None:
        """End the daemon, its containerd and what it mounted."""
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGCONT)
            self._daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._daemon.wait(20)
            self._daemon.kill()
            self._daemon.wait()
        self._end_shims()
        self._containerd.terminate()
        self._containerd.wait()
        self._network.kill()
        self._network.wait()
        self._remove_groups()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted((each for each in mounts if each.startswith(str(self.folder))), reverse=True):
            subprocess.run(["umount", "-l", place], check=False, capture_output=True)

    def _remove_groups(self) -> None:
        for group in Path("/sys/fs/cgroup").glob(f"*/{self._group}"):
            for below in sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    below.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()

    def _end_shims(self) -> None:
        """Those of containers whose daemon ended before they did."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and self._comm(int(entry.name)).startswith("containerd-shim"):
                with contextlib.suppress(OSError):
                    if str(self.folder) in (entry / "cmdline").read_text():
                        os.kill(int(entry.name), signal.SIGKILL)

    @staticmethod
    def _comm(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return ""


def own_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, *, live_restore: bool) -> OwnDocker:
    """One that answers and has the base image; ``DOCKER_HOST`` names it. Skips where none can be started."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        missing("docker", "only root can start an engine of its own, and dockerd must be installed")
    engine = OwnDocker(folder, live_restore=live_restore)
    try:
        engine.up()
        engine.give_image()
    except BaseException:
        engine.close()
        raise
    monkeypatch.setenv("DOCKER_HOST", engine.endpoint)
    return engine
