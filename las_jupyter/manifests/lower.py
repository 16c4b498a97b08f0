"""From a manifest's sections to the values of a launch spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from las_jupyter.core import launch
from las_jupyter.core.launch import Failure, LiveRule, Phase, Probe, Progress, ReadyRule, SecretUse, StopRule

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Live, Manifest, Ready


def ready_rule(manifest: Manifest) -> ReadyRule:
    """When it counts as ready."""
    ready = manifest.health.ready
    return ReadyRule(_probe(ready), ready.stall, ready.limit, ready.every, ready.timeout)


def live_rule(manifest: Manifest) -> LiveRule:
    """How it is watched once it is ready; without a probe of its own, by the ready probe."""
    live = manifest.health.live
    progress = Progress(**live.progress.model_dump()) if live.progress else None
    probe = _probe(live) or _probe(manifest.health.ready)
    return LiveRule(probe, live.every, live.timeout, live.unhealthy_after, live.healthy_after, progress)


def _probe(section: Ready | Live) -> Probe | None:
    if section.http:
        http = section.http
        return launch.HttpProbe(http.port, http.path, tuple(http.ok), tuple(http.loading))
    if section.tcp:
        return launch.TcpProbe(section.tcp.port)
    if section.command:
        return launch.CommandProbe(tuple(section.command))
    if section.log:
        return launch.LogProbe(section.log)
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
