"""What engines say when they refuse, and what it means: rows of data, the first match wins."""

from __future__ import annotations

import re
from typing import NamedTuple

from las_jupyter.core.errors import LaunchFailed
from las_jupyter.logs.scan import LONGEST_LINE


class Saying(NamedTuple):
    """A pattern in the engine's words, its meaning, and the cure. Groups fill ``{1}``, ``{2}``…"""

    pattern: str
    cause: str
    remedy: str


SAYINGS = (
    Saying(
        r"(?:Bind for [\d.]+:|listen tcp4? [\d.]+:|port )(\d+)(?: failed|: bind).*(?:already allocated|already in use)"
        r"|listen tcp4? [\d.]+:(\d+): bind: address already in use",
        "port {1} is taken by another program",
        "--port 0 takes a free one",
    ),
    Saying(
        r"port is already allocated|address already in use",
        "its port is taken by another program",
        "--port 0 takes a free one",
    ),
    Saying(
        r'could not select device driver "" with capabilities|[Uu]nknown (?:or invalid )?runtime.*nvidia'
        r"|unknown or invalid runtime name: nvidia",
        "the NVIDIA container toolkit is not installed for this Docker",
        "install nvidia-container-toolkit, run: sudo nvidia-ctk runtime configure --runtime=docker, restart Docker",
    ),
    Saying(
        r'could not select device driver "cdi"',
        "CDI is not enabled in this Docker",
        'set "features": {"cdi": true} in /etc/docker/daemon.json and restart Docker',
    ),
    Saying(
        r"unresolvable CDI devices (\S+)|stat nvidia.com/gpu=\S+",
        "there is no CDI description of the GPUs",
        "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    ),
    Saying(
        r"(?:stat |device )\"?(/dev/[\w/]+)\"?: no such file",
        "the device {1} does not exist here",
        "%las doctor lists the GPUs of this machine; start it without --gpus",
    ),
    Saying(
        r"(?:bind source path does not exist: |statfs |mountpoint for )(\S+?):? ?(?:no such file.*)?$",
        "the mounted path {1} does not exist",
        "correct the path given with --mount",
    ),
    Saying(
        r"available,? non-overlapping IPv4 address pool|predefined address pools have been fully subnetted",
        "Docker has no range of addresses left for the network that closes its containers to others",
        "docker network prune",
    ),
    Saying(
        r"networks have same bridge name",
        "another of Docker's networks has the bridge that las_jupyter uses: {0}",
        "docker network ls",
    ),
    Saying(
        r"slirp4netns failed|(?:setting up|could not find).*slirp4netns|/dev/net/tun",
        "Podman could not make its network: {0}",
        "sudo modprobe tun",
    ),
    Saying(
        r"[Mm]inimum memory limit|memory limit too low|memory limit .*too small|OOM-killed"
        r"|unable to set memory limit",
        "its memory limit is too small for a container to begin at all",
        "give it more: --memory 512MB",
    ),
    Saying(
        r"[Rr]ange of CPUs is from|cpu.*(?:out of range|more than)",
        "more CPUs were asked for than there are",
        "lower --cpus",
    ),
    Saying(
        r"exec format error|image.*platform.*does not match",
        "the image was built for another kind of processor",
        "take an image for this machine, or run it natively: --mode native",
    ),
    Saying(
        r"unable to find user (\S+): no matching entries",
        "the image has no user {1}",
        "correct launch.container.user in the manifest, a number works with every image",
    ),
    Saying(
        r"(?:exec|exec:|executable file) \"?([^\s\":]+)\"?.*(?:no such file|not found)"
        r"|executable file `?(\S+?)`? not found",
        "there is no program {1} in the image",
        "correct launch.container.argv in the manifest",
    ),
    Saying(
        r"invalid reference format",
        "the name of its image is none: {0}",
        "correct launch.container.image in the manifest; one looks like docker.io/library/redis:7",
    ),
    Saying(
        r"working directory '(\S+)' is invalid|workdir \"(\S+?)\" does not exist",
        "its working directory {1} is not in the image",
        "correct launch.container.workdir in the manifest, a path from / on",
    ),
    Saying(
        r"invalid (?:mount|container) path:? ['\"](\S+?)['\"]",
        "a mount is to be seen at {1}, which is no path from / on",
        "--mount SOURCE:/absolute/path",
    ),
    Saying(
        r"permission denied", "the engine was not permitted: {0}", "%las doctor says what is missing"
    ),
    Saying(r"no space left on device", "the engine's disk is full", "docker system prune, or podman system prune"),
    Saying(
        r"rlimit type 7|RLIMIT_NOFILE",
        "the limit of open files is above what this machine allows",
        "lower it in the engine's default_ulimits",
    ),
)  # fmt: skip


def explain(name: str, engine: str, text: str) -> LaunchFailed:
    """The error for ``text``, which ``engine`` said when ``name`` was to start."""
    flat = " ".join(text.split())
    for saying in SAYINGS:
        # Part of it may be what a registry says, or an image: somebody else's words, and as many as they like.
        match = re.search(saying.pattern, flat[:LONGEST_LINE])
        if match:
            groups = [group for group in match.groups() if group] or [flat]
            cause = saying.cause.replace("{0}", flat).replace("{1}", groups[0])
            return LaunchFailed(f"{name} could not be started by {engine}.", cause=cause, remedy=saying.remedy)
    return LaunchFailed(f"{name} could not be started by {engine}.", cause=flat or "it did not say why")
