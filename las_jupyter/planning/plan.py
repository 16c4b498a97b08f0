"""
From a request and a picture of the world to one launch spec with every reason, or a refusal.

It starts nothing and asks nobody.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from las_jupyter.core.errors import BadRequest, NotTrusted, PlanRefused
from las_jupyter.core.fingerprint import fingerprint
from las_jupyter.core.launch import ContainerSpec, Decision, Gpus, LaunchSpec, Limits, Mount, Port
from las_jupyter.core.quantities import format_size
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.manifests.template import fill
from las_jupyter.planning.arguments import check_arguments
from las_jupyter.planning.mode import ModeChoice, ModeQuestion, choose_mode
from las_jupyter.planning.ports import choose_port, keep_port

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest
    from las_jupyter.planning.world import World

_ALL_INSIDE = "0.0.0.0"  # noqa: S104 - inside a container; the published port is on 127.0.0.1
_PIDS = 4096


def instance_name(request: StartRequest, module: str) -> str:
    """The name asked for, or the module's."""
    return request.name or re.sub(r"[^a-z0-9._-]", "-", module.lower())


def decide(request: StartRequest, world: World) -> StartPlan:
    """The plan. Raises ``PlanRefused`` (or ``NotTrusted``, ``PortTaken``) with the reason and what cures it."""
    manifest = world.entry.manifest
    check_arguments(request.args, manifest.refuse, manifest.name)
    mode = choose_mode(_mode_question(request, world), manifest.name)
    decisions = [_mode_decision(mode)]
    backend = next(each for each in world.backends if each.mode is mode.mode and each.unavailable is None)
    if mode.mode is Mode.NATIVE:
        _check_trust(world)
    ports = _ports(request, world, mode.mode, decisions)
    gpus = _gpus(request, world, decisions)
    limits = _limits(request, world, decisions)
    _model_decision(world, decisions)
    spec = LaunchSpec(
        name=instance_name(request, manifest.name),
        module=manifest.name,
        module_version=manifest.version,
        mode=mode.mode,
        backend=backend.name,
        argv=_argv(request, world, mode.mode, ports, gpus, decisions),
        env=_environment(request, manifest, mode.mode),
        ports=ports,
        mounts=_mounts(request, world, mode.mode),
        secrets=lower.secret_uses(manifest),
        gpus=gpus,
        limits=limits,
        ready=lower.ready_rule(manifest),
        live=lower.live_rule(manifest),
        stop=lower.stop_rule(manifest, request.grace),
        restart=world.restart._replace(policy=request.restart) if request.restart else world.restart,
        logs=world.logs,
        lifetime=request.lifetime,
        model=world.model.text if world.model else None,
        model_alias=world.model.alias if world.model else None,
        container=_container(manifest) if mode.mode is Mode.CONTAINER else None,
        phases=lower.phases(manifest),
        failures=lower.failures(manifest),
        provides=tuple(manifest.interfaces.provides),
        api_path=manifest.interfaces.api_path,
        memory_promised=limits.memory,
        decisions=tuple(decisions),
    )
    spec = spec._replace(fingerprint=_fingerprint(request, world, spec))
    downloads = (world.model.download,) if world.model and world.model.download else ()
    return StartPlan(request, spec, tuple(decisions), _warnings(world), downloads)


def _fingerprint(request: StartRequest, world: World, spec: LaunchSpec) -> str:
    """
    What makes the server. A port that was chosen for the user is no part of it: whoever asks again means the same
    server, wherever the first one found a place.
    """
    if request.port:
        return fingerprint(spec)
    # Natively the inner port is the same number again; in a container it is the image's own and stays.
    anywhere = tuple(port._replace(host=0, inner=0 if spec.mode is Mode.NATIVE else port.inner) for port in spec.ports)
    argv = _argv(request, world, spec.mode, anywhere, spec.gpus, [])
    return fingerprint(spec._replace(ports=anywhere, argv=argv))


def _mode_question(request: StartRequest, world: World) -> ModeQuestion:
    manifest = world.entry.manifest
    objections: dict[Mode, tuple[str, ...]] = {}
    remedies: dict[Mode, str] = {}
    for mode in Mode:
        against = []
        lacking = manifest.missing(mode)
        if lacking:
            against.append(lacking)
        if mode not in world.policy_modes:
            against.append(world.policy_reason or "the policy forbids it")
        if mode is Mode.NATIVE and not world.native_enabled:
            against.append("runtime.native_enabled is off")
        if mode is Mode.CONTAINER and not world.docker_enabled:
            against.append("runtime.docker_enabled is off")
        if not against:
            against, remedy = _unavailable(world, mode)
            if remedy:
                remedies[mode] = remedy
        objections[mode] = tuple(against)
    preferred = manifest.runtime.preferred
    return ModeQuestion(
        objections,
        request.mode,
        Mode(preferred) if preferred in list(Mode) else None,
        world.default_mode,
        remedies,
    )


def _unavailable(world: World, mode: Mode) -> tuple[list[str], str]:
    """Why ``mode`` cannot be had at the moment, and the cure."""
    fitting = [backend for backend in world.backends if backend.mode is mode]
    usable = [backend for backend in fitting if backend.unavailable is None]
    if not usable:
        reasons = [f"{backend.name}: {backend.unavailable}" for backend in fitting] or ["no backend can do it"]
        return reasons, next((backend.remedy for backend in fitting if backend.remedy), "")
    if mode is Mode.NATIVE and world.engine is not None and world.engine.argv is None:
        return [world.engine.why], world.engine.remedy
    return [], ""


def _mode_decision(choice: ModeChoice) -> Decision:
    return Decision("mode", choice.mode, choice.reason, {str(mode): why for mode, why in choice.passed_over.items()})


def _check_trust(world: World) -> None:
    entry = world.entry
    if not entry.trusted:
        raise NotTrusted(
            f"{entry.manifest.name} from {entry.path} may not run natively.",
            cause=entry.standing,
            remedy=f"read the file, then %las trust {entry.path}",
        )


def _ports(request: StartRequest, world: World, mode: Mode, decisions: list[Decision]) -> tuple[Port, ...]:
    manifest = world.entry.manifest
    container = manifest.launch.container if manifest.launch and mode is Mode.CONTAINER else None
    chosen: list[Port] = []
    free = world.free_ports
    for index, row in enumerate(manifest.ports):
        asked = request.port if index == 0 else None
        inner = container and (
            container.inner_ports.get(row.name) or (container.inner_port if index == 0 else row.default)
        )
        kept = world.kept_ports.get(row.name)
        if kept is not None and not asked:
            port, decision = keep_port(row.name, kept, inner or None)
        else:
            port, decision = choose_port(row.name, asked, row.default, inner or None, world.ports, free)
        free = tuple(each for each in free if each != port.host)
        chosen.append(port)
        decisions.append(decision)
    return tuple(chosen)


def _gpus(request: StartRequest, world: World, decisions: list[Decision]) -> Gpus:
    if not request.gpus:
        reason = "none were asked for" if world.machine.gpu_ids else "none were asked for, and none are here"
        decisions.append(Decision("GPUs", "none", reason))
        return Gpus()
    known = world.machine.gpu_ids
    wanted = known if request.gpus == ("all",) else request.gpus
    missing = [each for each in wanted if each not in known]
    if missing or not wanted:
        raise PlanRefused(
            f"There is no GPU {', '.join(missing) or 'at all'} here.",
            cause=f"the GPUs here are {', '.join(known)}" if known else "no GPU answers on this machine",
            remedy="%las doctor",
        )
    decisions.append(Decision("GPUs", ",".join(wanted), "you asked for them"))
    return Gpus(wanted, world.machine.gpu_vendor)


def _limits(request: StartRequest, world: World, decisions: list[Decision]) -> Limits:
    memory = request.memory or world.memory_limit
    promised = sum(spec.memory_promised or 0 for snapshot, spec in world.running if snapshot.state.alive)
    if memory:
        reason = "you asked for it" if request.memory else "limits.memory is set"
        left = world.machine.memory_total - promised
        if memory > left and not request.overcommit:
            raise PlanRefused(
                f"{format_size(memory)} of memory cannot be promised.",
                cause=f"this machine has {format_size(world.machine.memory_total)}, "
                f"and {format_size(promised)} are promised to running instances",
                remedy="--overcommit, a smaller --memory, or %las stop one of them",
            )
        if memory > left:
            reason += f", though only {format_size(max(0, left))} are left: overcommitted as you said"
        decisions.append(Decision("memory", format_size(memory), reason))
    return Limits(memory, request.cpus or world.cpu_limit, world.pids_limit or _PIDS)


def _model_decision(world: World, decisions: list[Decision]) -> None:
    model = world.model
    if model is not None:
        what = f"it will be fetched first: {model.download}" if model.download else f"it is at {model.path}"
        decisions.append(Decision("model", model.text, what))


def _argv(
    request: StartRequest, world: World, mode: Mode, ports: tuple[Port, ...], gpus: Gpus, decisions: list[Decision]
) -> tuple[str, ...]:
    launch = world.entry.manifest.launch
    assert launch is not None  # the mode was chosen among those that have a section
    inside = mode is Mode.CONTAINER
    values: dict[str, str | tuple[str, ...]] = {
        "host": _ALL_INSIDE if inside else "127.0.0.1",
        "state_dir": "/data" if inside else world.state_dir,
        "gpu_count": str(max(1, len(gpus.ids))),
    }
    for port in ports:
        number = str(port.inner if inside else port.host)
        values[f"port:{port.name}"] = number
        values.setdefault("port", number)
    if world.model is not None:
        values["model"] = (
            _inner_model(world, launch.container.model_target) if inside and launch.container else world.model.path
        )
        values["alias"] = world.model.alias
    if inside:
        assert launch.container is not None
        return fill(launch.container.argv, values) + request.args
    assert launch.native is not None
    if world.engine is not None and world.engine.argv is not None:
        values["engine"] = world.engine.argv
        told = " ".join(world.engine.argv) + (f" ({world.engine.version})" if world.engine.version else "")
        decisions.append(Decision("engine", told, world.engine.why, world.engine.passed_over))
    return fill(launch.native.argv, values) + request.args


def _inner_model(world: World, target: str | None) -> str:
    assert world.model is not None
    return f"{target or '/models'}/{PurePath(world.model.path).name}"


def _environment(request: StartRequest, manifest: Manifest, mode: Mode) -> dict[str, str]:
    assert manifest.launch is not None
    section = manifest.launch.native if mode is Mode.NATIVE else manifest.launch.container
    own = dict(section.env) if section else {}
    secret = {each.env for each in manifest.launch.secrets.values() if each.env} & set(request.env)
    if secret:
        raise PlanRefused(
            f"{', '.join(sorted(secret))} cannot be set with --env.",
            cause="a key is generated for this engine and travels in that variable",
            remedy="leave it out; llm.openai() has the key",
        )
    return {**own, **request.env}


def _mounts(request: StartRequest, world: World, mode: Mode) -> tuple[Mount, ...]:
    mounts = [_mount(text) for text in request.mounts]
    launch = world.entry.manifest.launch
    if mode is Mode.CONTAINER and world.model is not None and launch and launch.container:
        mounts.insert(0, Mount(world.model.path, _inner_model(world, launch.container.model_target)))
    return tuple(mounts)


def _mount(text: str) -> Mount:
    source, _, rest = text.partition(":")
    target, _, flag = rest.partition(":")
    if not source or not target.startswith("/") or flag not in ("", "ro", "rw"):
        raise BadRequest(f"{text!r} is no mount.", cause="a mount is SOURCE:/TARGET or SOURCE:/TARGET:rw")
    return Mount(source, target, flag == "rw")


def _container(manifest: Manifest) -> ContainerSpec:
    assert manifest.launch is not None
    section = manifest.launch.container
    assert section is not None
    return ContainerSpec(
        image=section.image,
        user=None if section.user == "keep" else section.user,
        read_only=section.read_only,
        tmpfs=tuple(section.tmpfs),
        writable=tuple(section.writable),
        entrypoint=tuple(section.entrypoint) if section.entrypoint else None,
    )


def _warnings(world: World) -> tuple[str, ...]:
    least = world.entry.manifest.hardware.memory.ram_min
    if least and least > world.machine.memory_total:
        return (
            f"{world.entry.manifest.name} wants {format_size(least)} of memory; "
            f"this machine has {format_size(world.machine.memory_total)}",
        )
    return ()
