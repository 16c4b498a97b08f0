"""Podman by its command line, which needs neither a service nor root: an engine for ``oci_backend``."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import resource
import shutil
import struct
import subprocess
import termios
from typing import Any

from las_jupyter.backends.oci import (
    ContainerFacts,
    CreateOptions,
    EngineError,
    EngineUnreachable,
    ImageFacts,
    OnPull,
    PullProgress,
    exact_name,
)
from las_jupyter.backends.oci_backend import OciBackend
from las_jupyter.backends.oci_inspect import facts
from las_jupyter.backends.oci_logs import Collector, FileCollector, Sink
from las_jupyter.core.backend import Unavailable
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Gpus
from las_jupyter.core.quantities import parse_size
from las_jupyter.state.custody import closed_path
from las_jupyter.state.files import write_atomic

_PATIENCE = 60.0
_QUICK = 1.9
_COLUMNS = 240
_VARIABLE = re.compile(r"[^\s=#\0][^\s=\0]*")
_TUN = "/dev/net/tun"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BLOB = re.compile(r"Copying blob (?:sha256:)?([0-9a-f]{6,64})\s*((?:\[[^\]]*\]\s*([\d.]+\w+) / ([\d.]+\w+))?.*)")
_GONE = ("no such container", "no container with name or id", "no such object")


class PodmanEngine:
    """Podman of this user."""

    name = "podman"
    endpoint = "podman"
    look_every = 60.0  # each look is a process of tens of milliseconds, and there is no service that could go away

    def __init__(self) -> None:
        self._containers = ""
        self._pulling: subprocess.Popen[bytes] | None = None

    def _run(self, *words: str, timeout: float = _PATIENCE, cwd: str | None = None) -> str:
        try:
            done = subprocess.run(
                ["podman", *words], capture_output=True, timeout=timeout, cwd=cwd or "/", stdin=subprocess.DEVNULL,
                check=False, env=_surroundings(),
            )  # fmt: skip
        except FileNotFoundError as error:
            raise EngineUnreachable("podman is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise EngineUnreachable(f"podman {words[0]} did not answer within {timeout:.0f} s") from error
        except OSError as error:
            raise EngineUnreachable(str(error)) from error
        if done.returncode != 0:
            raise EngineError(_last(done.stderr.decode(errors="replace")))
        return done.stdout.decode(errors="replace")

    def why_unavailable(self) -> Unavailable | None:
        if _which("podman") is None:
            return Unavailable("Podman is not installed", "sudo apt-get install podman")
        if os.geteuid() != 0 and _which("newuidmap") is None:
            return Unavailable("rootless Podman lacks the program newuidmap", "sudo apt-get install uidmap")
        try:
            self._run("ps", "--quiet", "--last", "1", timeout=_QUICK)
        except EngineUnreachable as error:
            return Unavailable(str(error), "podman info")
        except EngineError as error:
            remedy = "podman info says more"
            if "subuid" in str(error) or "newuidmap" in str(error):
                remedy = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"
            return Unavailable(f"Podman cannot be used: {error}", remedy)
        return None

    def why_reachable(self) -> Unavailable | None:
        """A bridge is a network that this machine passes packets on to; the others are nobody's but the container's."""
        if network() != "bridge":
            return None
        return Unavailable(
            "without slirp4netns its containers are on a bridge, and a machine that routes there reaches their ports",
            "sudo apt-get install slirp4netns" if os.path.exists(_TUN) else "sudo modprobe tun",
        )

    def architecture(self) -> str:
        return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)

    def limits_enforced(self) -> bool:
        """Rootless without a delegated cgroup (version 1, or no systemd session) Podman ignores limits."""
        if os.geteuid() == 0:
            return True
        try:
            with open("/proc/self/cgroup") as file:
                own = [line.strip().partition("::")[2] for line in file if line.startswith("0::")]
            with open(f"/sys/fs/cgroup{own[0]}/cgroup.controllers") as file:
                return "memory" in file.read().split()
        except (OSError, IndexError):
            return False

    def image(self, reference: str) -> ImageFacts | None:
        try:
            told = json.loads(self._run("image", "inspect", "--", reference))[0]
        except EngineUnreachable:
            raise
        except EngineError:
            return None
        config = told.get("Config") or {}
        layer = str(((told.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or "")
        self._containers = f"{layer.partition('/overlay/')[0]}/overlay-containers" if "/overlay/" in layer else ""
        return ImageFacts(
            told["Id"], told.get("Digest") or told["Id"], told.get("Architecture", ""), config.get("User") or "",
            bool(told.get("Healthcheck") or told.get("HealthCheck") or config.get("Healthcheck")),
            exact_name(reference, told.get("RepoDigests") or [], told["Id"]),
        )  # fmt: skip

    def pull(self, reference: str, on_progress: OnPull) -> None:
        """Podman tells how far its layers are on a terminal only, so it is given one."""
        ours, its = pty.openpty()
        try:
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))
            child = subprocess.Popen(
                ["podman", "pull", "--", reference],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=its,
                cwd="/",
                env=_surroundings(),
            )
        except OSError as error:
            os.close(ours)
            raise EngineUnreachable(str(error)) from error
        finally:
            os.close(its)
        self._pulling = child
        try:
            lines = _follow(ours, on_progress)
        finally:
            os.close(ours)
            if child.poll() is None:
                child.terminate()
            child.wait()
        if child.returncode != 0:
            raise EngineError(_last("\n".join(lines)))

    def give_up_pull(self) -> None:
        if self._pulling is not None and self._pulling.poll() is None:
            self._pulling.terminate()

    def create(self, options: CreateOptions, folder: str) -> str:
        _refuse_ignored_gpus(options)
        env_file = os.path.join(folder, "podman.env")
        write_atomic(env_file, _env_file(options))
        try:
            return self._run("create", *arguments(options, env_file)).strip().splitlines()[-1]
        finally:
            os.unlink(env_file)

    def start(self, container: str) -> None:
        # conmon 2.1.6 leaves its word about running out of memory in its working directory, and Podman looks for it
        # in the container's folder: there we start it.
        folder = f"{self._containers}/{container}/userdata"
        if not os.path.isdir(folder):
            told = self.inspect(container)
            folder = told.folder if told else ""
        self._run("start", "--", container, cwd=folder if os.path.isdir(folder) else None)

    def inspect(self, container: str) -> ContainerFacts | None:
        try:
            told: dict[str, Any] = json.loads(self._run("container", "inspect", "--", container))[0]
        except EngineUnreachable:
            raise
        except EngineError as error:
            if any(word in str(error).lower() for word in _GONE):
                return None
            raise
        told["State"]["Health"] = told["State"].get("Health") or told["State"].get("Healthcheck")
        log = (told.get("HostConfig") or {}).get("LogConfig") or {}
        status = {"stopped": "exited", "configured": "created"}
        found = facts(told)
        return found._replace(
            status=status.get(found.status, found.status),
            log_path=str(log.get("Path") or ""),
            folder=str(told.get("StaticDir") or ""),
        )

    def kill(self, container: str, signal: str) -> None:
        try:
            self._run("kill", "--signal", signal, "--", container)
        except EngineUnreachable:
            raise
        except EngineError as error:
            if "paused" not in str(error):
                raise
            self._run("unpause", "--", container)
            self._run("kill", "--signal", signal, "--", container)

    def remove(self, container: str) -> None:
        try:
            self._run("rm", "--force", "--volumes", "--time", "0", "--", container)
        except EngineUnreachable:
            raise
        except EngineError as error:
            if not any(word in str(error).lower() for word in _GONE):
                raise

    def tidy(self) -> None:
        """Its containers share nothing."""

    def execute(self, container: str, argv: tuple[str, ...], timeout: float) -> int:
        try:
            done = subprocess.run(
                ["podman", "exec", "--", container, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=timeout, cwd="/", check=False, env=_surroundings(),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        return done.returncode

    def tail(self, container: str) -> str:
        done = subprocess.run(
            ["podman", "logs", "--tail", "20", "--", container],
            capture_output=True, timeout=_PATIENCE, cwd="/", check=False, env=_surroundings(),
        )  # fmt: skip
        return (done.stdout + done.stderr).decode(errors="replace")

    def check_health(self, container: str) -> None:
        """Without systemd's timers nobody else runs it."""
        try:
            self._run("healthcheck", "run", "--", container)
        except EngineUnreachable:
            raise
        except EngineError:
            return  # an answer of no; the inspection tells it

    def collector(self, container: ContainerFacts, sink: Sink) -> Collector:
        """Reads the file conmon writes: exact to the nanosecond and the byte, where ``podman logs`` polls and loses."""
        return FileCollector(container.log_path, sink)


class PodmanBackend(OciBackend):
    """Runs launch specs in Podman."""

    name = "podman"

    def engine(self, endpoint: str | None = None) -> PodmanEngine:
        """Podman of this user; there is one."""
        return PodmanEngine()


def _surroundings() -> dict[str, str]:
    """Our environment, in which nobody else may have put a podman, nor a program that Podman calls."""
    return {**os.environ, "PATH": closed_path()}


def _which(program: str) -> str | None:
    return shutil.which(program, path=closed_path())


def _follow(terminal: int, on_progress: OnPull) -> list[str]:
    """Tell what Podman says there of its layers until it ends; the lines that say something else."""
    others, rest = [], ""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            piece = b""  # the other end was closed
        *lines, rest = re.split(r"[\r\n]+", rest + piece.decode(errors="replace") + ("" if piece else "\n"))
        for line in (_ESCAPES.sub("", each).strip() for each in lines):
            told = layer_of(line)
            if told is not None:
                on_progress(told)
            elif line:
                others.append(line)
        if not piece:
            return others


def layer_of(line: str) -> PullProgress | None:
    """What a line of ``podman pull`` says of a layer, in Docker's words; None when it speaks of something else."""
    match = _BLOB.match(line)
    if not match:
        return None
    layer, rest, done, total = match.groups()
    if done is not None:
        return PullProgress(layer, "Downloading", parse_size(done), parse_size(total))
    return PullProgress(layer, "Already exists" if "exists" in rest else "Pull complete" if rest else "Waiting")


def network() -> str:
    """
    Which of Podman's networks closes a container: one of its own, whose only way out is a process (decision 0053).

    Newer Podman has pasta for whoever is not root. Root without either has the bridge, which others may route to.
    """
    if _which("slirp4netns") and os.path.exists(_TUN):
        return "slirp4netns"
    if os.geteuid() == 0:
        return "bridge"
    return "pasta" if _which("pasta") else "slirp4netns"


def arguments(options: CreateOptions, env_file: str) -> list[str]:
    """
    The words behind ``podman create``. Nothing secret is among them, and none of a value is taken for an option: those
    that follow their option's name are its value whatever they begin with, and the rest stands behind ``--``.
    """
    words = ["--name", options.name, "--pull", "never", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    # Else it hands on the proxies of our environment, and the password in them, which nobody named.
    words += ["--network", network(), "--http-proxy=false"]
    words += ["--log-driver", "k8s-file", "--pids-limit", str(options.pids), "--env-file", env_file]
    words += ["--stop-signal", options.stop_signal]
    words += [word for name, value in options.labels.items() for word in ("--label", f"{name}={value}")]
    if options.read_only:
        words += ["--read-only", "--read-only-tmpfs=false"]
    for path in options.tmpfs:
        words += ["--tmpfs", f"{path}:rw,noexec,nosuid,nodev,mode=1777"]
    for mount in options.mounts:
        fields = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
        words += ["--mount", _csv([*fields, *([] if mount.writable else ["readonly=true"])])]
    for port in options.ports:
        words += ["--publish", f"{options.address}:{port.host}:{port.inner}"]
    words += _limits(options) + _gpus(options.gpus)
    if options.init:
        words.append("--init")
    if options.user:
        words += ["--user", options.user]
        if os.geteuid() != 0 and options.user.partition(":")[0] == str(os.geteuid()):
            words += ["--userns", "keep-id"]  # else that number inside would be somebody else outside
    if options.workdir:
        words += ["--workdir", options.workdir]
    if options.own_probe:
        words.append("--no-healthcheck")
    if options.entrypoint is not None:
        words += ["--entrypoint", json.dumps(list(options.entrypoint))]
    return [*words, "--", options.image, *options.argv]


def _limits(options: CreateOptions) -> list[str]:
    words = []
    if options.memory:
        words += ["--memory", f"{options.memory}b", "--memory-swap", f"{options.memory}b"]
    if options.cpus:
        words += ["--cpus", f"{options.cpus:g}"]
    if options.shm:
        words += ["--shm-size", f"{options.shm}b"]
    if options.nofile:
        # One limit given replaces all of Podman's own, so the number of processes is said again.
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        processes = 16384 if hard == resource.RLIM_INFINITY else min(hard, 16384)
        words += ["--ulimit", f"nofile={options.nofile}:{options.nofile}", "--ulimit", f"nproc={processes}:{processes}"]
    return words


def _gpus(gpus: Gpus) -> list[str]:
    if gpus.vendor == "amd" and gpus.ids:
        return ["--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "video", "--group-add", "render"]
    if gpus.vendor == "intel" and gpus.ids:
        return ["--device", "/dev/dri", "--group-add", "video", "--group-add", "render"]
    return [word for each in gpus.ids for word in ("--device", f"nvidia.com/gpu={each}")]


def _refuse_ignored_gpus(options: CreateOptions) -> None:
    """Podman 4.3 takes some ways of asking for a GPU and ignores them; CDI is the one it answers honestly."""
    if any(not re.fullmatch(r"[\w.:-]+", each) for each in options.gpus.ids):
        raise EngineError(f"{', '.join(options.gpus.ids)} names no GPU")


def _env_file(options: CreateOptions) -> bytes:
    for name, value in options.env.items():
        if not _VARIABLE.fullmatch(name):
            # Podman takes a line without = for a variable of ours to hand on, and one with # for a remark.
            raise LaunchFailed(
                f"{options.name} could not be created.",
                cause=f"{name!r} is no name of a variable",
                remedy="--env NAME=VALUE",
            )
        if "\n" in value:
            raise LaunchFailed(
                f"{options.name} could not be created.",
                cause=f"the value of {name} holds a line break, which Podman cannot take",
                remedy="use a file and --mount, or Docker: LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE=docker",
            )
    return "".join(f"{name}={value}\n" for name, value in options.env.items()).encode()


def _csv(fields: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _last(text: str) -> str:
    """The line of an error that says what happened."""
    lines = [line for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("Error")] or lines[-1:]
    return told[0].removeprefix("Error: ") if told else ""
