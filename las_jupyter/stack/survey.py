"""Takes the picture of the world that a plan is decided on: all the asking that planning itself must not do."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from las_jupyter.backends.environment import NOTEBOOKS
from las_jupyter.backends.native_limits import foreseen
from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, InvalidModel, LasError, PlanRefused
from las_jupyter.core.launch import LogRule, RestartRule
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.core.surroundings import is_withheld
from las_jupyter.planning.container_engines import ANY, ORDER
from las_jupyter.planning.plan import instance_name, mount_sources
from las_jupyter.planning.provenance import what_it_would_find, what_it_would_take
from las_jupyter.planning.shared_places import check_model
from las_jupyter.planning.world import Backend, Engine, Machine, ModelFile, World
from las_jupyter.policy.load import policies_here
from las_jupyter.policy.rules import EXPOSE, Hardware, PolicyVerdict, judge_policy
from las_jupyter.resources import machine, ports
from las_jupyter.resources.accounts import account, number_for
from las_jupyter.resources.measured import Measured, Measurements, larger, read_measurements
from las_jupyter.stack.places import guarded_here, look_at
from las_jupyter.stack.strangers import answers_as
from las_jupyter.state.paths import check_name

if TYPE_CHECKING:
    from las_jupyter.core.launch import LaunchSpec
    from las_jupyter.core.snapshot import Snapshot
    from las_jupyter.manifests.catalog import Catalog, Entry
    from las_jupyter.manifests.schema import Manifest
    from las_jupyter.models.reference import ModelReference
    from las_jupyter.resources.gguf_info import GgufFacts
    from las_jupyter.resources.safetensors_info import SafetensorsFacts
    from las_jupyter.runtime.manager import Manager
    from las_jupyter.settings.load import LoadedSettings

_FREE_PORTS = 4
# A start finds out by itself that an engine is gone; that a lack was cured must be seen soon.
_USE_LASTS, _LACK_LASTS = 10.0, 2.0
_ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "PATH", "XDG_RUNTIME_DIR")
_ENGINES: dict[tuple[str | None, ...], tuple[Backend, float]] = {}


def survey(request: StartRequest, settings: LoadedSettings, catalog: Catalog, manager: Manager) -> World:
    """The world as it is now, for ``request``. Raises ``UnknownModule``, ``UnknownModel``, ``InvalidModel``."""
    entry = catalog.find(request.module)
    manifest = entry.manifest
    name = check_name(instance_name(request, manifest.name))
    claimed = manager.claims.taken(but=name)
    running = tuple((snapshot, manager.spec(snapshot.name)) for snapshot in manager.snapshots() if snapshot.state.alive)
    policy = _policy(entry, settings, catalog)
    defaults = [row.default for row in manifest.ports]
    owners = _ports(request, defaults, _own_ports(name, running), claimed)
    return World(
        entry=entry,
        machine=_machine(),
        backends=backends(settings),
        engine=_engine(entry, request, settings),
        model=_counted(_model(entry, request, settings, manager.paths.state_dir), policy),
        ports=owners,
        free_ports=ports.free_ports(_FREE_PORTS, claimed),
        lookalikes=_lookalikes(request, entry, owners, claimed),
        next_ports=ports.next_ports([port for port in defaults if owners[port]], {*claimed, *defaults}),
        kept_ports={port.name: port.host for snapshot, spec in running if snapshot.name == name for port in spec.ports},
        state_dir=manager.paths.state_dir,
        running=tuple(pair for pair in running if pair[0].name != name),
        default_mode=settings.runtime.default_mode,
        native_enabled=settings.runtime.native_enabled,
        docker_enabled=settings.runtime.docker_enabled,
        logs=_log_rule(settings),
        restart=_restart(settings),
        memory_limit=settings.limits.memory,
        cpu_limit=settings.limits.cpus,
        pids_limit=settings.limits.pids,
        keepers=foreseen(),
        policy=policy,
        person=(os.getuid(), os.getgid()),
        secrets_around=_secrets_around(manifest, request),
        spare_user=number_for(name) if os.getuid() == 0 else 0,
        number_owner=_number_owner(manifest),
        container_engine=str(settings.runtime.container_engine),
        measured=_measured(manager.paths.state_dir, running),
        requires=tuple(needed.manifest.name for needed in catalog.start_order(entry)[:-1]),
        shadows=catalog.passed_over(entry),
        places={source: look_at(source) for source in mount_sources(request)},
        guarded=guarded_here(manager.paths.state_dir) if request.mounts else (),
        namesake=_namesake(name, entry, catalog, manager),
    )


def _secrets_around(manifest: Manifest, request: StartRequest) -> tuple[str, ...]:
    """The names alone, without those of the hub, which mean nothing outside of a notebook."""
    serves_model = manifest.model is not None and (request.model or manifest.model.default) is not None
    return tuple(
        name
        for name, value in sorted(os.environ.items())
        if is_withheld(name, value, serves_model=serves_model) and not name.startswith(NOTEBOOKS)
    )


def _number_owner(manifest: Manifest) -> str:
    """Whose number on this machine the manifest wants its container to have."""
    part = manifest.launch.container if manifest.launch else None
    number = (part.user or "" if part else "").partition(":")[0]
    return account(int(number)) if number.isdecimal() else ""


def _namesake(name: str, entry: Entry, catalog: Catalog, manager: Manager) -> str:
    """Why ``entry`` must not be started as ``name``, for what another manifest left there."""
    data = manager.data_folder(name) is not None
    if entry.trusted and not data:
        return ""
    try:
        before = manager.spec(name)
    except LasError:
        before = None
    if entry.trusted:
        return what_it_would_find(entry, before)
    return what_it_would_take(entry, name, before, data=data, owned=catalog.owns(name))


def _measured(state_dir: str, running: tuple[tuple[Snapshot, LaunchSpec], ...]) -> Measurements:
    """What is on file, and what those that run have used since."""
    found = read_measurements(state_dir)
    for snapshot, spec in running:
        if snapshot.memory_peak:
            found = larger(found, spec.memory_key, Measured(snapshot.memory_peak, snapshot.changed_at))
    return found


def _policy(entry: Entry, settings: LoadedSettings, catalog: Catalog) -> PolicyVerdict:
    """A manifest that did not come with us says of itself what it is called and of which category: neither counts."""
    known = frozenset(each.manifest.name for each in catalog.entries)
    policies = policies_here(settings.policy_file, known)
    if not policies:
        return PolicyVerdict(reasons={EXPOSE: "no policy allows network exposure"})
    found = machine.gpus()
    hardware = Hardware(
        cpu_cores=machine.cpus(),
        ram=machine.memory_total(),
        gpu_vram=max((gpu.memory_total for gpu in found), default=0),
        gpu_count=len(found),
    )
    from las_jupyter.manifests.catalog import bundled

    manifest, ours = entry.manifest, entry.origin == "bundled"
    posing = not ours and manifest.name in {each.manifest.name for each in bundled()}
    return judge_policy(policies, hardware, manifest.name, manifest.category if ours else "runtime", posing=posing)


def _log_rule(settings: LoadedSettings) -> LogRule:
    logs = settings.logs
    return LogRule(logs.start_bytes, logs.keep_starts, logs.total_bytes, logs.capture)


def _restart(settings: LoadedSettings) -> RestartRule:
    own = settings.restart
    return RestartRule(own.policy, own.first, 2.0, own.cap, own.max_tries, own.reset_after)


def _machine() -> Machine:
    found = machine.gpus()
    vendor = found[0].vendor if found else None
    ids = tuple(gpu.id for gpu in found)
    memory = {gpu.id: (gpu.memory_free, gpu.memory_total) for gpu in found if gpu.memory_total}
    return Machine(machine.cpus(), machine.memory_total(), machine.memory_available(), ids, vendor, memory)


def backends(settings: LoadedSettings) -> tuple[Backend, ...]:
    """Every way to run a module here, with what stands in the way of those that cannot be used."""
    from las_jupyter.backends.native import NativeBackend

    lacking = NativeBackend().why_unavailable()
    native = Backend("native", Mode.NATIVE, lacking.reason if lacking else None, lacking.remedy if lacking else "")
    return (native, *_container_backends(settings))


def _container_backends(settings: LoadedSettings) -> tuple[Backend, ...]:
    wanted = str(settings.runtime.container_engine)
    found = []
    for name in (wanted,) if wanted != ANY else ORDER:
        found.append(_container_backend(name))
        if found[-1].unavailable is None:
            break  # the first that can be used is the one that is; the next would be a process started for nothing
    return tuple(found)


def _container_backend(name: str) -> Backend:
    """Whether it can be used, as it was a moment ago: asking Podman starts a process, the dearest part of a plan."""
    key = (name, *(os.environ.get(variable) for variable in _ENGINE_VARIABLES))
    answer, until = _ENGINES.get(key, (None, 0.0))
    if answer is None or time.monotonic() >= until:
        answer = _ask_engine(name)
        lasting = _LACK_LASTS if answer.unavailable else _USE_LASTS
        _ENGINES[key] = (answer, time.monotonic() + lasting)
    return answer


def _ask_engine(name: str) -> Backend:
    from las_jupyter.backends.table import BACKENDS, load_backend

    if name not in BACKENDS:
        return Backend(name, Mode.CONTAINER, "this version has no backend for it")
    try:
        backend = load_backend(name)
        lacking = backend.why_unavailable()
    except LasError as error:
        return Backend(name, Mode.CONTAINER, error.message, error.remedy or "")
    why, remedy = (lacking.reason, lacking.remedy) if lacking else (None, "")
    return Backend(
        name, Mode.CONTAINER, why, remedy, getattr(backend, "maps_root", False),
        not lacking and getattr(backend, "maps_users", False), "" if lacking else _reachable(backend),
    )  # fmt: skip


def _reachable(backend: object) -> str:
    """Why other machines may reach its containers, and the cure, in one sentence."""
    from las_jupyter.backends.oci_backend import OciBackend

    why = backend.why_reachable() if isinstance(backend, OciBackend) else None
    return f"{why.reason} ({why.remedy})" if why else ""


def _engine(entry: Entry, request: StartRequest, settings: LoadedSettings) -> Engine | None:
    manifest = entry.manifest
    native = manifest.launch.native if manifest.launch else None
    if native is None or not native.needs or not entry.trusted:
        return None  # of what is not trusted the plan says so itself
    program = native.needs[0]
    if program == "http-echo":
        from las_jupyter.engines import http_echo

        return Engine((sys.executable, str(Path(http_echo.__file__))), "", "it comes with las_jupyter")
    from las_jupyter.engines.find import FoundEngine
    from las_jupyter.stack.engine_of import engine_of

    found = engine_of(entry, settings, engine_python=request.engine_python)
    if found is None:
        return None
    if isinstance(found, FoundEngine):
        return Engine(found.argv, found.version, found.why, "", found.passed_over)
    if request.engine_python and request.mode is not Mode.CONTAINER:
        # Whoever names a Python does not mean a container.
        raise PlanRefused(
            f"{manifest.name} cannot run with the Python that was named.", cause=found.reason, remedy=found.remedy
        )
    return Engine(None, "", found.reason, found.remedy, found.passed_over)


def _model(entry: Entry, request: StartRequest, settings: LoadedSettings, state_dir: str) -> ModelFile | None:
    manifest = entry.manifest
    if manifest.model is None:
        if request.model:
            raise BadRequest(
                f"{manifest.name} takes no model when it is started.",
                cause="it loads models by itself" if manifest.category == "runtime" else "it serves none",
                remedy=f"%las start {word(request.module)}",
            )
        return None
    text = request.model or manifest.model.default
    if text is None:
        if not manifest.model.required:
            return None
        raise PlanRefused(
            f"{manifest.name} needs a model.",
            cause="its manifest names none to take by itself",
            remedy=f"%las start {word(request.module)} --model PATH_OR_NAME",
        )
    from las_jupyter.models.fetch import NeedsDownload, locate
    from las_jupyter.models.reference import Source

    reference = _reference(entry, request)
    if reference.source is Source.PATH:
        # Before anything is opened: behind a pipe or a socket somebody may wait.
        check_model(look_at(reference.path), guarded_here(state_dir))
    found = locate(reference, settings.models.cache_dir)
    if isinstance(found, NeedsDownload):
        return ModelFile(text, found.target, reference.short_name, found.says, found.size)
    path = str(found.path)
    return ModelFile(
        text, path, reference.short_name, size=found.size, facts=_facts(path), tensors=_tensors(path, manifest)
    )


def _reference(entry: Entry, request: StartRequest) -> ModelReference:
    """What the user typed may be a path; a manifest's default is none, and an untrusted one's is a model of ours."""
    from las_jupyter.models.named import NAMED_MODELS
    from las_jupyter.models.reference import parse, parse_remote

    if request.model:
        return parse(request.model)
    default = str(entry.manifest.model and entry.manifest.model.default)
    if not entry.trusted and default not in NAMED_MODELS:
        # A repository may be one that only this user may read, and its files would be shown to the container.
        raise PlanRefused(
            f"{entry.manifest.name} needs a model.",
            cause=f"its manifest would take {default!r}, and {entry.standing}",
            remedy=f"%las start {word(request.module)} --model with the one you want",
        )
    return parse_remote(default)


def _tensors(path: str, manifest: Manifest) -> SafetensorsFacts | None:
    """The same of a folder of safetensors, or of one such file."""
    if manifest.model is None or manifest.model.kind != "safetensors":
        return None
    from las_jupyter.resources.safetensors_info import read_safetensors

    try:
        return read_safetensors(path)
    except InvalidModel:
        return None


def _counted(model: ModelFile | None, policy: PolicyVerdict) -> ModelFile | None:
    """With its count of parameters, where a policy asks for it and the files are here."""
    if model is None or model.download is not None or policy.max_parameters is None:
        return model
    from las_jupyter.resources.gguf_info import all_parameters
    from las_jupyter.resources.parameters import count_parameters

    if model.facts is not None:
        return replace(model, parameters=all_parameters(model.path, model.facts))
    return replace(model, parameters=count_parameters(model.path))


def _facts(path: str) -> GgufFacts | None:
    """What the header says of the memory a model needs. Unknown is no reason to refuse what the engine may read."""
    if not path.endswith(".gguf"):
        return None
    from las_jupyter.resources.gguf_info import read_gguf

    try:
        return read_gguf(path)
    except InvalidModel:
        return None


def _lookalikes(
    request: StartRequest, entry: Entry, owners: dict[int, str | None], claimed: dict[int, str]
) -> frozenset[int]:
    """Of the first port's numbers those where this very module answers, and it is none of our instances."""
    manifest = entry.manifest
    numbers = {request.port or 0, manifest.ports[0].default if manifest.ports else 0}
    taken = [number for number in numbers if owners.get(number) and number not in claimed]
    return frozenset(number for number in taken if answers_as(entry, number))


def _own_ports(name: str, running: tuple[tuple[Any, Any], ...]) -> set[int]:
    return {port.host for snapshot, spec in running if snapshot.name == name for port in spec.ports}


def _ports(request: StartRequest, defaults: list[int], own: set[int], claimed: dict[int, str]) -> dict[int, str | None]:
    """Who has the ports in question; a port that this very instance has counts as free, for it may stay there."""
    numbers = {*defaults, request.port or 0} - {0}
    return {number: None if number in own else claimed.get(number) or ports.listener(number) for number in numbers}
