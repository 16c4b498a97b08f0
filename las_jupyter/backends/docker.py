"""
Docker by its Engine API: an engine for ``oci_backend``.

It is found as Docker's own clients find it: ``DOCKER_HOST``, else the current context, else the usual socket.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
import urllib3
from docker import errors
from docker.context import ContextAPI
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit
from docker.utils import kwargs_from_env

from las_jupyter.backends.docker_network import can_close, drop_network, ensure_network, must_close
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
from las_jupyter.backends.oci_logs import Collector, Sink
from las_jupyter.backends.oci_stream import StreamCollector
from las_jupyter.core.backend import Unavailable
from las_jupyter.core.launch import Gpus

_PATIENCE = 60.0
_QUICK = 1.5
_LOOK = 10.0
_PROBE_POLL = 0.03
# Engines before 25 repeat and lose lines of a follower whenever they rotate, so only newer ones get a bound.
_ROTATES_WELL = (1, 44)
_LOG_BOUND = {"max-size": "64m", "max-file": "4"}


class DockerEngine:
    """One Docker engine. Thread-safe as far as ``requests`` is: every thread takes a client of its own."""

    name = "docker"
    look_every = 10.0

    def __init__(self, endpoint: str | None = None) -> None:
        self.endpoint = endpoint or current_endpoint()
        self._version = "auto"

    def _client(self, timeout: float = _PATIENCE) -> Any:  # the client's stubs lack half of it
        # The environment also says where the certificates of a remote engine are.
        given: dict[str, Any] = {"base_url": self.endpoint}
        if os.environ.get("DOCKER_TLS_VERIFY"):
            given = dict(kwargs_from_env())
        make: Any = docker.APIClient
        client = make(**given, version=self._version, timeout=timeout)
        self._version = client.api_version  # asked for once
        return client

    @contextmanager
    def _api(self, timeout: float = _PATIENCE) -> Iterator[Any]:
        client = None
        try:
            client = self._client(timeout)
            yield client
        except errors.APIError as error:
            raise EngineError(str(error.explanation or error)) from error
        except TimeoutError:
            raise
        except (errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise EngineUnreachable(str(error)) from error
        finally:
            if client is not None:
                client.close()

    def why_unavailable(self) -> Unavailable | None:
        """Docker's socket tells more precisely than its client why it cannot be used."""
        try:
            with self._api(_QUICK) as api:
                api.ping()
        except EngineError as error:
            return self._unavailable(str(error))
        return None

    def _unavailable(self, text: str) -> Unavailable:
        path = self.endpoint.removeprefix("unix://").removeprefix("http+unix://")
        if "Permission denied" in text or "PermissionError" in text:
            return Unavailable(
                f"you may not use the Docker engine at {path} (permission denied)",
                "sudo usermod -aG docker $USER, then log in again",
            )
        if shutil.which("docker") is None and shutil.which("dockerd") is None and not os.path.exists(path):
            return Unavailable("Docker is not installed", "https://docs.docker.com/engine/install/")
        if self.endpoint.startswith("unix://") and not os.path.exists(path):
            return Unavailable(f"no Docker engine listens at {path}", "sudo systemctl start docker")
        return Unavailable(f"the Docker engine at {self.endpoint} does not answer", "sudo systemctl restart docker")

    def architecture(self) -> str:
        with self._api() as api:
            return str(api.version().get("Arch", ""))

    def limits_enforced(self) -> bool:
        with self._api() as api:
            return bool(api.info().get("MemoryLimit", True))

    def why_reachable(self) -> Unavailable | None:
        """Docker before 28 has to be closed by root; without root it keeps its network apart from the machine's."""
        if self._is_apart():
            return None
        with self._api(_QUICK) as api:
            if not must_close(api) or can_close(api, self.endpoint):
                return None
            version = str(api.version().get("Version", "")).partition("+")[0]
        return Unavailable(
            f"Docker {version} passes on what a machine that routes to its containers' network sends to their ports",
            "take Docker 28 or newer, or Podman: runtime.container_engine",
        )

    def _is_apart(self) -> bool:
        """Whether its socket is a person's: root's engine works without root then, or in a machine of its own."""
        try:
            return os.stat(self.endpoint.removeprefix("unix://")).st_uid != 0
        except OSError:
            return False

    def maps_users(self) -> bool:
        """Whether the daemon gives its containers a namespace of users."""
        try:
            with self._api(_QUICK) as api:
                return any("name=userns" in each for each in api.info().get("SecurityOptions") or ())
        except EngineError:
            return False

    def image(self, reference: str) -> ImageFacts | None:
        with self._api() as api:
            try:
                told = api.inspect_image(reference)
            except errors.ImageNotFound:
                return None
        config = told.get("Config") or {}
        digest = next((each.partition("@")[2] for each in told.get("RepoDigests") or []), told["Id"])
        return ImageFacts(
            told["Id"], digest, told.get("Architecture", ""), config.get("User") or "", bool(config.get("Healthcheck")),
            exact_name(reference, told.get("RepoDigests") or [], told["Id"]),
        )  # fmt: skip

    def pull(self, reference: str, on_progress: OnPull) -> None:
        with self._api(600.0) as api:
            name, tag = _split(reference)
            for line in api.pull(name, tag=tag, stream=True, decode=True):
                if "error" in line:
                    raise EngineError(str(line["error"]))
                detail = line.get("progressDetail") or {}
                on_progress(
                    PullProgress(
                        str(line.get("id", "")), str(line.get("status", "")),
                        int(detail.get("current") or 0), int(detail.get("total") or 0),
                    )
                )  # fmt: skip

    def give_up_pull(self) -> None:
        """The engine ends it when its client goes away: at the next word of progress, or with this process."""

    def create(self, options: CreateOptions, folder: str) -> str:
        with self._api() as api:
            made = api.create_container(
                options.image,
                command=list(options.argv),
                name=options.name,
                entrypoint=list(options.entrypoint) if options.entrypoint is not None else None,
                environment=options.env,
                labels=options.labels,
                user=options.user,
                working_dir=options.workdir,
                ports=[port.inner for port in options.ports],
                stop_signal=options.stop_signal,
                healthcheck={"test": ["NONE"]} if options.own_probe else None,
                host_config=self._host_config(api, options),
            )
        return str(made["Id"])

    def _host_config(self, api: Any, options: CreateOptions) -> dict[str, Any]:
        version = tuple(int(part) for part in str(api._version).split("."))
        bound = _LOG_BOUND if version >= _ROTATES_WELL else {}
        return dict(
            api.create_host_config(
                network_mode=ensure_network(api),
                port_bindings={port.inner: (options.address, port.host) for port in options.ports},
                mounts=[
                    Mount(mount.target, mount.source, "bind", read_only=not mount.writable) for mount in options.mounts
                ],
                read_only=options.read_only,
                tmpfs=dict.fromkeys(options.tmpfs, "rw,noexec,nosuid,nodev,mode=1777"),
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                pids_limit=options.pids,
                mem_limit=options.memory,
                memswap_limit=options.memory,
                nano_cpus=int(options.cpus * 1e9) if options.cpus else None,
                shm_size=options.shm,
                ulimits=_ulimits(options.nofile),
                init=options.init,
                log_config=LogConfig(type="json-file", config=bound),
                **_gpus(options.gpus),
            )
        )

    def start(self, container: str) -> None:
        with self._api() as api:
            api.start(container)

    def inspect(self, container: str) -> ContainerFacts | None:
        with self._api(_LOOK) as api:
            try:
                told = api.inspect_container(container)
            except errors.NotFound:
                return None
        return facts(told)

    def kill(self, container: str, signal: str) -> None:
        with self._api() as api:
            if api.inspect_container(container)["State"].get("Paused"):
                api.unpause(container)
            api.kill(container, signal)

    def remove(self, container: str) -> None:
        with self._api() as api:
            try:
                api.remove_container(container, v=True, force=True)
            except errors.NotFound:
                return

    def tidy(self) -> None:
        """Remove the network if nobody is on it, beside whoever asks: it takes Docker a fifth of a second."""
        threading.Thread(target=self._drop_network, name="network").start()  # whose end the process waits for

    def _drop_network(self) -> None:
        try:
            with self._api() as api:
                drop_network(api)
        except EngineError:
            pass  # the next end removes it

    def execute(self, container: str, argv: tuple[str, ...], timeout: float) -> int:
        # Attached, the client waits for the end without a bound; detached, we ask.
        deadline = time.monotonic() + timeout
        with self._api() as api:
            number = api.exec_create(container, list(argv), stdout=False, stderr=False)["Id"]
            api.exec_start(number, detach=True)
            while True:
                told = api.exec_inspect(number)
                if not told["Running"] and told["ExitCode"] is not None:
                    return int(told["ExitCode"])
                if time.monotonic() >= deadline:
                    raise TimeoutError
                time.sleep(_PROBE_POLL)

    def tail(self, container: str) -> str:
        with self._api() as api:
            return bytes(api.logs(container, tail=20)).decode(errors="replace")

    def check_health(self, container: str) -> None:
        """The engine does it by itself."""

    def collector(self, container: ContainerFacts, sink: Sink) -> Collector:
        """Follows the engine's log of the container into ``sink``."""
        return StreamCollector(lambda: self._client(_PATIENCE), container.id, sink)


class DockerBackend(OciBackend):
    """Runs launch specs in Docker."""

    name = "docker"

    def engine(self, endpoint: str | None = None) -> DockerEngine:
        """The engine at ``endpoint``, or the current one."""
        return DockerEngine(endpoint)

    @property
    def maps_root(self) -> bool:
        """Whether it is Docker without root, by whose socket it is: root in its containers is the person then."""
        try:
            owner = os.stat(current_endpoint().removeprefix("unix://")).st_uid
        except OSError:
            return False
        return owner == os.geteuid() != 0

    @property
    def maps_users(self) -> bool:
        """Whether numbers inside are others outside (``userns-remap``); asked where root would lend them its own."""
        return os.geteuid() == 0 and self.engine().maps_users()


def current_endpoint() -> str:
    """Where Docker's own client would look."""
    given = os.environ.get("DOCKER_HOST")
    if given:
        return given
    try:
        context = ContextAPI.get_current_context()
    except errors.DockerException:
        context = None
    host = context.Host if context is not None else None
    return str(host or "unix:///var/run/docker.sock").replace("http+unix://", "unix://")


def _gpus(gpus: Gpus) -> dict[str, Any]:
    if not gpus.ids:
        return {}
    if gpus.vendor == "amd":
        return {"devices": ["/dev/kfd:/dev/kfd:rwm", "/dev/dri:/dev/dri:rwm"], "group_add": ["video", "render"]}
    if gpus.vendor == "intel":
        return {"devices": ["/dev/dri:/dev/dri:rwm"], "group_add": ["video", "render"]}
    which: dict[str, Any] = {"count": -1} if gpus.ids == ("all",) else {"device_ids": list(gpus.ids)}
    request = DeviceRequest(**which, capabilities=[["gpu"]])
    return {"device_requests": [request]}


def _split(reference: str) -> tuple[str, str | None]:
    """Name and tag; a digest stays with the name."""
    if "@" in reference:
        return reference, None
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, "latest")


def _ulimits(nofile: int | None) -> list[Ulimit]:
    """No core file holds a key. Under Podman a container has our own limit, which is the same."""
    core = Ulimit(name="core", soft=0, hard=0)
    return [core, Ulimit(name="nofile", soft=nofile, hard=nofile)] if nofile else [core]
