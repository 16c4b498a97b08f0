"""
From a request and a picture of the world to one launch spec with every reason, or a refusal.

It starts nothing and asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from las_jupyter.core.advice import word
from las_jupyter.core.enforcement import keepers_of, limit_words
from las_jupyter.core.errors import BadRequest, PlanRefused
from las_jupyter.core.fingerprint import fingerprint
from las_jupyter.core.launch import ContainerSpec, Decision, Gpus, LaunchSpec, Limits, Mount, Port
from las_jupyter.core.quantities import format_size
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.secrecy import FROM_ENV, kept_apart, secret_variables
from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.manifests.template import names_in
from las_jupyter.planning.allowed import check_allowed, check_exposure, check_model_size, warn_exposed
from las_jupyter.planning.arguments import check_arguments, check_environment
from las_jupyter.planning.container_engines import engine_decision, warn_reachable
from las_jupyter.planning.fitting import fit_model
from las_jupyter.planning.gpus import choose_gpus
from las_jupyter.planning.mode import ModeChoice, ModeQuestion, choose_mode
from las_jupyter.planning.model_choice import check_model_choice
from las_jupyter.planning.ports import choose_ports, offer_other
from las_jupyter.planning.provenance import check_namesake, check_trust, manifest_decision, warn_untrusted
from las_jupyter.planning.room import Values
from las_jupyter.planning.shared_places import check_mount
from las_jupyter.planning.theirs import container_of, failures_of, phases_of
from las_jupyter.planning.users import choose_user
from las_jupyter.resources.measured import memory_key

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest
    from las_jupyter.planning.world import Backend, World

_ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - inside a container, or where a policy and the user both want it
_PIDS = 4096
_NAMES = 6  # of withheld variables; a notebook of a hub in a cloud has dozens

T = TypeVar("T", int, float)


def instance_name(request: StartRequest, module: str) -> str:
    """The name asked for, or the module's."""
    return request.name or re.sub(r"[^a-z0-9._-]", "-", module.lower())


def decide(request: StartRequest, world: World) -> StartPlan:
    """The plan. Raises ``PlanRefused`` (or ``NotTrusted``, ``PortTaken``) with the reason and what cures it."""
    manifest = world.entry.manifest
    check_allowed(world)
    check_arguments(request.args, world.entry)
    mode = choose_mode(_mode_question(request, world), manifest.name)
    check_environment(request.env, manifest, mode.mode)
    decisions = [_mode_decision(mode), manifest_decision(world)]
    backend = next(each for each in world.backends if each.mode is mode.mode and each.unavailable is None)
    if mode.mode is Mode.NATIVE:
        check_trust(world.entry)
    check_namesake(world, instance_name(request, manifest.name))
    check_exposure(request, world, mode.mode, decisions)
    ports = choose_ports(request, world, mode.mode, decisions)
    gpus = choose_gpus(request, world, mode.mode, decisions)
    limits = _limits(request, world, mode.mode, decisions)
    if mode.mode is Mode.NATIVE:
        _keepers_decision(limits, world, decisions)
        _withheld_decision(request, world, decisions)
    mounts = _mounts(request, world, mode.mode)
    shown = _shown(request, world) if mode.mode is Mode.CONTAINER else ()
    _model_decision(world, decisions)
    check_model_choice(request, world)
    measured = check_model_size(world, decisions)

    def key(values: Values) -> str:
        return _memory_key(request, world, mode.mode, ports, gpus, limits, values)

    takes = lower.names_taken(manifest, mode.mode)
    fitted = fit_model(request, world, gpus, limits, takes, decisions, lambda values: world.measured.get(key(values)))
    values = {**_values(request, world, mode.mode, ports, gpus), **fitted.values}
    spec = LaunchSpec(
        name=instance_name(request, manifest.name),
        module=manifest.name,
        module_version=manifest.version,
        mode=mode.mode,
        backend=backend.name,
        argv=_argv(request, world, mode.mode, values, decisions),
        env={**lower.env(manifest, mode.mode, values), **request.env},
        cwd=_data_folder(request, world) if mode.mode is Mode.NATIVE and _keeps_data(manifest, mode.mode) else None,
        ports=ports,
        mounts=mounts,
        secrets=lower.secret_uses(manifest),
        gpus=gpus,
        share_gpu=request.share_gpu,
        limits=limits,
        ready=lower.ready_rule(manifest),
        live=lower.live_rule(manifest),
        stop=lower.stop_rule(manifest, request.grace),
        restart=world.restart._replace(policy=request.restart) if request.restart else world.restart,
        logs=world.logs,
        lifetime=request.lifetime,
        model=world.model.text if world.model else None,
        model_alias=world.model.alias if world.model else None,
        container=_container(world, backend, gpus, mounts, decisions) if mode.mode is Mode.CONTAINER else None,
        phases=phases_of(world.entry),
        failures=failures_of(world.entry),
        provides=tuple(manifest.interfaces.provides),
        api_path=manifest.interfaces.api_path,
        memory_promised=limits.memory or fitted.need,
        exposed=request.expose and bool(ports),
        opens=_opens(manifest, mode.mode, decisions),
        memory_key=key(fitted.values) if fitted.need else "",
        manifest=world.entry.provenance,
        decisions=tuple(decisions),
    )
    spec = kept_apart(spec, secret_variables(request.env, request.taken))
    spec = spec._replace(fingerprint=_fingerprint(request, world, spec))
    downloads = (world.model.download,) if world.model and world.model.download else ()
    warnings = (
        *warn_untrusted(world),
        *shown,
        *offer_other(request, world, ports),
        *warn_exposed(spec),
        *warn_reachable(backend, spec),
        *measured,
        *_warnings(world, gpus),
        *fitted.warnings,
    )
    return StartPlan(request, spec, tuple(decisions), warnings, downloads, world.requires)


def _fingerprint(request: StartRequest, world: World, spec: LaunchSpec) -> str:
    """
    What makes the server. A port, a context or a share of a GPU that was chosen for the user is no part of it: whoever
    asks again means the same server, whatever the first one found free.
    """
    ports = spec.ports if request.port else _any_ports(spec.ports, spec.mode)
    values = _values(request, world, spec.mode, ports, spec.gpus)
    env = {**lower.env(world.entry.manifest, spec.mode, values), **_open_variables(request)}
    return fingerprint(spec._replace(ports=ports, argv=_argv(request, world, spec.mode, values, []), env=env))


def _open_variables(request: StartRequest) -> dict[str, str]:
    """Those that are no secrets: a hash of a short secret, which is kept, would give it away."""
    secret = secret_variables(request.env, request.taken)
    return {name: value for name, value in request.env.items() if FROM_ENV + name not in secret}


def _any_ports(ports: tuple[Port, ...], mode: Mode) -> tuple[Port, ...]:
    """Natively the inner port is the same number again; in a container it is the image's own and stays."""
    return tuple(port._replace(host=0, inner=0 if mode is Mode.NATIVE else port.inner) for port in ports)


def _memory_key(
    request: StartRequest,
    world: World,
    mode: Mode,
    ports: tuple[Port, ...],
    gpus: Gpus,
    limits: Limits,
    fitted: Values,
) -> str:
    """
    What the memory of a server depends on: all that it is told, and which program and model.

    Left out are the port, and the room for kept prompts, which is promised on top of what was measured.
    """
    fitted = {name: value for name, value in fitted.items() if name != "prompt_cache_mib"}
    manifest, engine, model = world.entry.manifest, world.engine, world.model
    values = {**_values(request, world, mode, _any_ports(ports, mode), gpus), **fitted}
    program = engine.version if mode is Mode.NATIVE and engine else None
    image = lower.container_spec(manifest, gpus.vendor).image if mode is Mode.CONTAINER else None
    told = lower.argv(manifest, mode, values) + request.args
    env = sorted({**lower.env(manifest, mode, values), **_open_variables(request)}.items())
    which = (model.path, model.size) if model else None
    return memory_key(manifest.name, manifest.version, mode, program, image, which, told, env, gpus.ids, limits.memory)


def _mode_question(request: StartRequest, world: World) -> ModeQuestion:
    manifest = world.entry.manifest
    objections: dict[Mode, tuple[str, ...]] = {}
    remedies: dict[Mode, str] = {}
    for mode in Mode:
        against = []
        lacking = manifest.missing(mode)
        if lacking:
            against.append(lacking)
        if mode not in world.policy.modes:
            against.append(world.policy.forbidden or world.policy.reasons.get(mode, "the policy forbids it"))
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
    if mode is Mode.NATIVE and world.entry.trusted and world.engine is not None and world.engine.argv is None:
        return [world.engine.why], world.engine.remedy
    return [], ""


def _mode_decision(choice: ModeChoice) -> Decision:
    return Decision("mode", choice.mode, choice.reason, {str(mode): why for mode, why in choice.passed_over.items()})


def _container(
    world: World, backend: Backend, gpus: Gpus, mounts: tuple[Mount, ...], decisions: list[Decision]
) -> ContainerSpec:
    manifest = world.entry.manifest
    decisions.append(engine_decision(world, backend))
    writes = any(mount.writable for mount in mounts)
    user, decision = choose_user(container_of(world.entry), world, backend, writes=writes)
    decisions.append(decision)
    return lower.container_spec(manifest, gpus.vendor, user)


def _limits(request: StartRequest, world: World, mode: Mode, decisions: list[Decision]) -> Limits:
    ceiling = world.policy.max_memory
    if ceiling and ceiling >= world.machine.memory_total and not (request.memory or world.memory_limit):
        ceiling = None  # the machine bounds it already, and its whole memory could be promised once only
    memory = _under_the_ceiling("memory", request.memory, world.memory_limit, ceiling, format_size, world)
    cpus = _under_the_ceiling("cpus", request.cpus, world.cpu_limit, world.policy.max_cpus, str, world)
    promised = sum(spec.memory_promised or 0 for snapshot, spec in world.running if snapshot.state.alive)
    if memory:
        reason = "you asked for it" if request.memory else "limits.memory is set"
        if not request.memory and memory == world.policy.max_memory:
            reason = world.policy.reasons["memory"]
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
        decisions.append(Decision("memory", format_size(memory), reason, override=memory > left))
    shm = lower.container(world.entry.manifest).shm if mode is Mode.CONTAINER else None
    return Limits(memory, cpus, world.pids_limit or _PIDS, shm=shm)


def _keepers_decision(limits: Limits, world: World, decisions: list[Decision]) -> None:
    """Say before the start who will keep each limit, for a watch can be overrun for a moment and a cgroup cannot."""
    kept = keepers_of(limits, world.keepers)
    if kept:
        reason = "a cgroup keeps what it can here, then a systemd scope, then the supervisor's own watch"
        decisions.append(Decision("limits", "; ".join(limit_words(limits, kept)), reason))


def _withheld_decision(request: StartRequest, world: World, decisions: list[Decision]) -> None:
    """Name what a server might have been meant to have; never its value."""
    names = [name for name in world.secrets_around if name not in request.env]
    if names:
        told = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
        reason = "what sounds like a secret of yours is not handed on; --env gives it one"
        decisions.append(Decision("withheld", told, reason))


def _under_the_ceiling(
    subject: str,
    asked: T | None,
    configured: T | None,
    ceiling: T | None,
    say: Callable[[T], str],
    world: World,
) -> T | None:
    """What was asked for, else what is configured, else the policy's ceiling. Raises ``PlanRefused`` above it."""
    if ceiling is None:
        return asked or configured
    if asked and asked > ceiling:
        raise PlanRefused(
            f"{subject} {say(asked)} is more than is allowed.",
            cause=world.policy.reasons[subject],
            remedy=f"--{subject} {word(say(ceiling).replace(' ', ''))}",
        )
    return asked or min(configured or ceiling, ceiling)


def _opens(manifest: Manifest, mode: Mode, decisions: list[Decision]) -> str:
    """Why it opens ports beside its own. Natively only: a container has a network of its own."""
    reason = (lower.native(manifest).opens or "") if mode is Mode.NATIVE else ""
    if reason:
        decisions.append(Decision("other ports", "open to the network", reason))
    return reason


def _model_decision(world: World, decisions: list[Decision]) -> None:
    model = world.model
    if model is not None:
        what = f"it will be fetched first: {model.download}" if model.download else f"it is at {model.path}"
        decisions.append(Decision("model", model.text, what))


def _values(
    request: StartRequest, world: World, mode: Mode, ports: tuple[Port, ...], gpus: Gpus
) -> dict[str, str | tuple[str, ...]]:
    """What the names in braces of the manifest mean for this start."""
    manifest = world.entry.manifest
    inside = lower.container(manifest) if mode is Mode.CONTAINER else None
    values: dict[str, str | tuple[str, ...]] = {
        "host": _ALL_ADDRESSES if inside or request.expose else "127.0.0.1",
        "data_dir": (inside.data or "") if inside else _data_folder(request, world),
    }
    if not inside:
        values.update(lower.own_values())
    if cpus := request.cpus or world.cpu_limit or world.policy.max_cpus:
        # An engine counts the cores of the machine and not those it may use; too many threads wait for each other.
        values["threads"] = str(max(1, int(cpus)))
    if gpus.ids:
        values["gpu_count"] = str(len(gpus.ids))
    for port in ports:
        number = str(port.inner if inside else port.host)
        values[f"port:{port.name}"] = number
        values.setdefault("port", number)
    if world.model is not None:
        values["model"] = _inner_model(world, inside.model_target) if inside else world.model.path
        values["alias"] = world.model.alias
    if world.engine is not None and world.engine.argv is not None and not inside:
        values["engine"] = world.engine.argv
    return values


def _argv(
    request: StartRequest,
    world: World,
    mode: Mode,
    values: dict[str, str | tuple[str, ...]],
    decisions: list[Decision],
) -> tuple[str, ...]:
    engine = world.engine
    if mode is Mode.NATIVE and engine is not None and engine.argv is not None:
        told = " ".join(engine.argv) + (f" ({engine.version})" if engine.version else "")
        decisions.append(Decision("engine", told, engine.why, engine.passed_over))
    return lower.argv(world.entry.manifest, mode, values) + request.args


def _keeps_data(manifest: Manifest, mode: Mode) -> bool:
    if mode is Mode.CONTAINER:
        return lower.container(manifest).data is not None
    part = lower.native(manifest)
    return "data_dir" in names_in([*part.argv, *part.env.values()])


def _data_folder(request: StartRequest, world: World) -> str:
    """The instance's own folder: it outlives the instance, since a database is not a log."""
    return str(PurePath(world.state_dir) / "data" / instance_name(request, world.entry.manifest.name))


def _inner_model(world: World, target: str | None) -> str:
    assert world.model is not None
    return f"{target or '/models'}/{PurePath(world.model.path).name}"


def _mounts(request: StartRequest, world: World, mode: Mode) -> tuple[Mount, ...]:
    mounts = [_mount(text, world) for text in request.mounts]
    launch = world.entry.manifest.launch
    if mode is Mode.CONTAINER and world.model is not None and launch and launch.container:
        mounts.insert(0, Mount(world.model.path, _inner_model(world, launch.container.model_target)))
    if mode is Mode.CONTAINER and launch and launch.container and launch.container.data:
        mounts.insert(0, Mount(_data_folder(request, world), launch.container.data, writable=True))
    return tuple(mounts)


def _shown(request: StartRequest, world: World) -> tuple[str, ...]:
    """What the mounts show that is better kept. Raises ``PlanRefused`` for one that is not typed as what it is."""
    told = []
    for text in request.mounts:
        place = world.places.get(_source(text))
        if place is not None:
            told.append(check_mount(place, text.partition(":")[2], world.guarded))
    return tuple(each for each in told if each)


def mount_sources(request: StartRequest) -> tuple[str, ...]:
    """The paths of this machine that were typed as mounts."""
    return tuple(_source(text) for text in request.mounts)


def _source(text: str) -> str:
    return text.partition(":")[0]


def _mount(text: str, world: World) -> Mount:
    source, _, rest = text.partition(":")
    target, _, flag = rest.partition(":")
    if not source or not target.startswith("/") or flag not in ("", "ro", "rw"):
        raise BadRequest(
            f"{text!r} is no mount.",
            cause="a mount is SOURCE:/TARGET or SOURCE:/TARGET:rw",
            remedy="for example: --mount ./data:/data:rw",
        )
    place = world.places.get(source)
    return Mount(place.path if place else source, target, flag == "rw")


def _warnings(world: World, gpus: Gpus) -> tuple[str, ...]:
    name, least = world.entry.manifest.name, lower.needs(world.entry.manifest)
    found = []
    if least.ram and least.ram > world.machine.memory_total:
        found.append(
            f"{name} wants {format_size(least.ram)} of memory; this machine has "
            f"{format_size(world.machine.memory_total)}"
        )
    if least.cores and least.cores > world.machine.cpus:
        found.append(f"{name} wants {least.cores} processor cores; this machine has {world.machine.cpus:g}")
    if len(gpus.ids) > 1 and not least.multi_gpu:
        found.append(f"{name} uses one GPU at a time; {len(gpus.ids)} are set aside for it")
    return tuple(found)
