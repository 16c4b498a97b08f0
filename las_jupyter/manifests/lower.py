"""From a manifest's sections to the values of a launch spec. Pure: planning calls it with what it decided."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core import launch
from las_jupyter.core.launch import (
    ContainerSpec,
    Failure,
    LiveRule,
    Phase,
    Probe,
    Progress,
    ReadyRule,
    SecretUse,
    StopRule,
)
from las_jupyter.core.states import Mode
from las_jupyter.manifests import template

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import ContainerLaunch, Live, Manifest, NativeLaunch, Ready


class DeclaredPort(NamedTuple):
    """A port the module has: ``preferred`` on 127.0.0.1, ``inner`` inside a container, None for native."""

    name: str
    preferred: int
    inner: int | None


class Needs(NamedTuple):
    """The least a module wants of a machine. Sizes in bytes; None: the manifest does not say."""

    cores: int | None = None
    ram: int | None = None
    vram: int | None = None
    gpu: bool = False
    multi_gpu: bool = False
    vendors: tuple[str, ...] = ()


def native(manifest: Manifest) -> NativeLaunch:
    """How it runs natively. The caller has asked ``manifest.missing`` before."""
    found = manifest.launch.native if manifest.launch else None
    if found is None:
        raise ValueError(f"{manifest.name} has no launch.native")
    return found


def container(manifest: Manifest) -> ContainerLaunch:
    """How it runs in a container. The caller has asked ``manifest.missing`` before."""
    found = manifest.launch.container if manifest.launch else None
    if found is None:
        raise ValueError(f"{manifest.name} has no launch.container")
    return found


def argv(manifest: Manifest, mode: Mode, values: template.Values) -> tuple[str, ...]:
    """The command line with every name filled in. Raises ``InvalidManifest`` when a value is wanting."""
    return template.fill(_section(manifest, mode).argv, values)


def env(manifest: Manifest, mode: Mode, values: template.Values) -> dict[str, str]:
    """The environment the manifest gives it, names filled in. A variable that is one name without a value is left out.

    Raises ``InvalidManifest`` for a name without a value amid other words.
    """
    given = _section(manifest, mode).env
    return {
        name: template.fill_text(text, values)
        for name, text in given.items()
        if template.can_fill(text, values) or not template.is_one_name(text)
    }


def names_taken(manifest: Manifest, mode: Mode) -> set[str]:
    """The names the command line and the environment have a place for."""
    part = _section(manifest, mode)
    return template.names_in([*part.argv, *part.env.values()])


def own_values() -> dict[str, str]:
    """The names that mean the same for every native start: this Python, and the folder of this package."""
    return {"python": sys.executable, "package_dir": str(Path(__file__).parents[1])}


def container_spec(manifest: Manifest, vendor: str | None = None, user: str | None = None) -> ContainerSpec:
    """
    What a container backend needs; ``vendor`` is whose GPUs the instance was given, None for none.

    ``user`` is the decided one, None for the image's own: the manifest alone cannot say who starts it.
    """
    part = container(manifest)
    return ContainerSpec(
        image=image(part, vendor),
        user=user,
        read_only=part.read_only,
        tmpfs=tuple(part.tmpfs),
        writable=tuple(part.writable),
        entrypoint=tuple(part.entrypoint) if part.entrypoint is not None else None,
    )


def _section(manifest: Manifest, mode: Mode) -> NativeLaunch | ContainerLaunch:
    return native(manifest) if mode is Mode.NATIVE else container(manifest)


def image(part: ContainerLaunch, vendor: str | None) -> str:
    """The image for GPUs of ``vendor``, else the one for everything."""
    for name, text in part.images.items():
        if name == vendor:
            return text
    return part.image


def ports(manifest: Manifest, mode: Mode) -> tuple[DeclaredPort, ...]:
    """The ports it has, the first one first."""
    inside = container(manifest) if mode is Mode.CONTAINER else None
    found = []
    for index, row in enumerate(manifest.ports):
        inner = None
        if inside:
            first = inside.inner_port if index == 0 else None
            inner = inside.inner_ports.get(row.name) or first or row.default
        found.append(DeclaredPort(row.name, row.default, inner))
    return tuple(found)


def needs(manifest: Manifest) -> Needs:
    """The least it wants of a machine."""
    want = manifest.hardware
    return Needs(
        want.cpu.cores_min,
        want.memory.ram_min,
        want.gpu.vram_min,
        want.gpu.required,
        want.gpu.multi_gpu,
        tuple(want.gpu.vendors),
    )


def ready_rule(manifest: Manifest) -> ReadyRule:
    """When it counts as ready."""
    ready = manifest.health.ready
    return ReadyRule(_probe(ready), ready.stall, ready.limit, ready.every, ready.timeout)


def live_rule(manifest: Manifest) -> LiveRule:
    """How it is watched once it is ready; without a probe of its own, by the ready probe (but never by its log)."""
    live = manifest.health.live
    progress = Progress(**live.progress.model_dump()) if live.progress else None
    ready = _probe(manifest.health.ready)
    probe = _probe(live) or (None if isinstance(ready, launch.LogProbe) else ready)
    return LiveRule(probe, live.every, live.timeout, live.unhealthy_after, live.healthy_after, progress)


def _probe(part: Ready | Live) -> Probe | None:
    if part.http:
        http = part.http
        return launch.HttpProbe(http.port, http.path, tuple(http.ok), tuple(http.loading))
    if part.tcp:
        return launch.TcpProbe(part.tcp.port)
    if part.command:
        return launch.CommandProbe(tuple(part.command))
    if part.log:
        return launch.LogProbe(part.log)
    return None


def stop_rule(manifest: Manifest, grace: float | None) -> StopRule:
    """How it is stopped; ``grace`` of the user outranks the manifest's."""
    return StopRule(manifest.stop.signal, manifest.stop.grace if grace is None else grace)


def secret_uses(manifest: Manifest) -> tuple[SecretUse, ...]:
    """Which secrets are generated for it, and how they travel."""
    if manifest.launch is None:
        return ()
    return tuple(SecretUse(name, secret.env, secret.file) for name, secret in manifest.launch.secrets.items())


def phases(manifest: Manifest) -> tuple[Phase, ...]:
    """Milestones of its log."""
    return tuple(Phase(row.pattern, row.says) for row in manifest.phases)


def failures(manifest: Manifest) -> tuple[Failure, ...]:
    """Known failures, most telling first."""
    return tuple(Failure(row.pattern, row.meaning, row.remedy, tuple(row.exit_codes)) for row in manifest.failures)
