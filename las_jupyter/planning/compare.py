"""
The same start natively and in a container, side by side: what a person weighs before choosing.

What the backends see to for every start (and no plan decides) is said here as data; ``docs/containers.md`` says it too.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

from las_jupyter.core.enforcement import keepers_of, means_words
from las_jupyter.core.errors import NEXT_STEP, PlanRefused
from las_jupyter.core.launch import (
    CommandProbe,
    HttpProbe,
    Limits,
    LiveRule,
    LogProbe,
    Probe,
    ReadyRule,
    TcpProbe,
)
from las_jupyter.core.quantities import format_duration, format_size
from las_jupyter.core.request import ComparedRow, Comparison, Side, StartPlan, StartRequest
from las_jupyter.core.secrecy import FROM_ENV, hide_in, hide_values, hide_words
from las_jupyter.core.states import Mode
from las_jupyter.planning.plan import decide, instance_name
from las_jupyter.planning.world import World

_NONE = "none"
_Subject = tuple[str, Callable[[StartPlan], str]]
"""What a row is about, and how a plan tells it."""


class _Restriction(NamedTuple):
    """What every start of a mode is bound by, whatever its plan."""

    subject: str
    native: str
    container: str


_ALWAYS = (
    _Restriction("capabilities", "those you have", "none"),
    _Restriction("new privileges", "as setuid programs give them", "none can be gained"),
    _Restriction("system calls", "all", "the engine's seccomp profile"),
)


def side(request: StartRequest, world: World, mode: Mode) -> Side:
    """The plan of ``request`` in ``mode``, or why it is not possible."""
    try:
        return Side(mode, decide(request._replace(mode=mode), world))
    except PlanRefused as refused:
        return Side(mode, None, refused.cause or refused.message, refused.remedy or "")


def side_by_side(request: StartRequest, module: str, sides: tuple[Side, ...], keepers: dict[str, str]) -> Comparison:
    """
    One row a subject, the possible modes first. ``keepers`` says for each limit who would keep it natively.

    Raises ``PlanRefused`` when no mode is possible, and for the same reason: then there is nothing to weigh.
    """
    told = {each.mode: each for each in sides}
    native, container = told[Mode.NATIVE], told[Mode.CONTAINER]
    if native.plan is None and container.plan is None and native.refusal == container.refusal:
        raise PlanRefused(
            f"{module} cannot run here in any mode.", cause=native.refusal, remedy=native.remedy or "%las doctor"
        )
    rows = [ComparedRow("possible", _possible(native), _possible(container))]
    rows += [
        _row(subject, native.plan and tell(native.plan), container.plan and tell(container.plan))
        for subject, tell in (*_BEFORE_LIMITS, *_limits(keepers), *_AFTER_LIMITS)
    ]
    rows += [_row(each.subject, native.plan and each.native, container.plan and each.container) for each in _ALWAYS]
    kept = tuple(row for row in rows if row.native or row.container)
    return Comparison(module, instance_name(request, module), kept, sides)


def _possible(side: Side) -> str:
    if side.plan is not None:
        return "yes"
    return f"no: {side.refusal}" + (f" {NEXT_STEP}{side.remedy}" if side.remedy else "")


def _row(subject: str, native: str | StartPlan | None, container: str | StartPlan | None) -> ComparedRow:
    both = native is not None and container is not None
    return ComparedRow(subject, str(native or ""), str(container or ""), both and native != container)


def _inside(plan: StartPlan) -> bool:
    return plan.spec.mode is Mode.CONTAINER


def _reason(plan: StartPlan, subject: str) -> str:
    return next((each.reason for each in plan.decisions if each.subject == subject), "")


def _runs(plan: StartPlan) -> str:
    spec = plan.spec
    return f"{spec.container.image} in {spec.backend}" if spec.container else spec.argv[0]


def _image(plan: StartPlan) -> str:
    return _reason(plan, "image") if _inside(plan) else "none"


def _arguments(plan: StartPlan) -> str:
    spec = plan.spec
    if not spec.container:
        return shlex.join(hide_words(spec.argv[1:]))
    return shlex.join(hide_words((*(spec.container.entrypoint or ()), *spec.argv)))


def _user(plan: StartPlan) -> str:
    if not _inside(plan):
        return "you, with all your rights"
    chosen = next((each for each in plan.decisions if each.subject == "user"), None)
    return f"{chosen.choice}, because {chosen.reason}" if chosen else ""


def _network(plan: StartPlan) -> str:
    where = "all addresses" if plan.spec.exposed else "127.0.0.1 only"
    if _inside(plan):
        return f"one of its own; its ports are published on {where}"
    return f"this machine's; it listens on {where}"


def _ports(plan: StartPlan) -> str:
    address = "0.0.0.0" if plan.spec.exposed else "127.0.0.1"  # noqa: S104 - shown, not bound
    told = [
        f"{port.name} {address}:{port.host}" + (f" → {port.inner} inside" if _inside(plan) else "")
        for port in plan.spec.ports
    ]
    return ", ".join(told) or _NONE


def _sees(plan: StartPlan) -> str:
    """The files of this machine it can reach."""
    if not _inside(plan):
        return "every file that you can"
    mounts = plan.spec.mounts
    shown = [f"{hide_in(each.source)} as {each.target}{', writable' if each.writable else ''}" for each in mounts]
    return "only " + "; ".join(shown) if shown else _NONE


def _writes(plan: StartPlan) -> str:
    """Where it can write besides what is mounted."""
    spec = plan.spec
    if spec.container is None:
        return "wherever you can" + (f"; begins in {spec.cwd}" if spec.cwd else "")
    if not spec.container.read_only:
        return "its own file system, lost with the container"
    return "small noexec folders in memory: " + ", ".join((*spec.container.tmpfs, *spec.container.writable))


def _environment(plan: StartPlan) -> str:
    base = "the image's" if _inside(plan) else "yours without the notebook's"
    added = " ".join(f"{name}={value}" for name, value in sorted(hide_values(plan.spec.env).items()))
    return f"{base}, and {added}" if added else base


def _secrets(plan: StartPlan) -> str:
    told = []
    for use in plan.spec.secrets:
        if use.name.startswith(FROM_ENV):
            told.append(f"{use.env} of yours")
            continue
        filed = any(f"{{secret_file:{use.name}}}" in word for word in plan.spec.argv)
        ways = [way for way, used in ((f"as {use.env}", use.env), ("in a file", filed)) if used]
        told.append(f"{use.name} {' and '.join(ways)}")
    return ", ".join(told)


def _limits(keepers: dict[str, str]) -> tuple[_Subject, ...]:
    return (
        ("memory limit", _limit("memory", lambda limits: format_size(limits.memory) if limits.memory else "", keepers)),
        ("cpu limit", _limit("cpus", lambda limits: f"{limits.cpus:g} cores" if limits.cpus else "", keepers)),
        ("process limit", _limit("pids", lambda limits: str(limits.pids) if limits.pids else "", keepers)),
    )


def _limit(name: str, amount: Callable[[Limits], str], keepers: dict[str, str]) -> Callable[[StartPlan], str]:
    """How a limit is told: the amount, and who keeps it."""

    def tell(plan: StartPlan) -> str:
        told = amount(plan.spec.limits)
        how = "engine" if _inside(plan) else keepers_of(plan.spec.limits, keepers).get(name, "none")
        return f"{told}, {means_words(name, how)}" if told else _NONE

    return tell


def _shared_memory(plan: StartPlan) -> str:
    if not _inside(plan):
        return "this machine's"
    return format_size(plan.spec.limits.shm) if plan.spec.limits.shm else "the engine's usual 64 MiB"


def _gpus(plan: StartPlan) -> str:
    gpus = plan.spec.gpus
    if not gpus.ids:
        return "none: there is no device inside" if _inside(plan) else "none: hidden by environment variables"
    return ", ".join(gpus.ids) + (": only these devices" if _inside(plan) else ": others hidden by variables")


def _ready(plan: StartPlan) -> str:
    rule: ReadyRule = plan.spec.ready
    return f"{_question(rule.probe)}; given up after {format_duration(rule.stall)} without progress"


def _live(plan: StartPlan) -> str:
    rule: LiveRule = plan.spec.live
    return f"{_question(rule.probe)} every {format_duration(rule.every)}"


def _question(probe: Probe | None) -> str:
    match probe:
        case HttpProbe(port=port, path=path):
            return f"GET {path} on {port}"
        case TcpProbe(port=port):
            return f"a connection to {port}"
        case CommandProbe(argv=argv):
            return shlex.join(argv)
        case LogProbe(pattern=pattern):
            return f"a log line like {pattern}"
        case None:
            return "it runs"


def _stop(plan: StartPlan) -> str:
    rule = plan.spec.stop
    then = "the container is killed and removed" if _inside(plan) else "its whole process tree is killed"
    return f"{rule.signal}, and after {format_duration(rule.grace)} {then}"


def _estimate(plan: StartPlan) -> str:
    return _reason(plan, "fit") or "not known"


def _first(plan: StartPlan) -> str:
    told = [f"fetch {text}" for text in plan.downloads] + [f"start {name}" for name in plan.requires]
    return "; ".join(told)


def _warnings(plan: StartPlan) -> str:
    return "; ".join(plan.warnings)


_BEFORE_LIMITS: tuple[_Subject, ...] = (
    ("runs", _runs),
    ("image", _image),
    ("arguments", _arguments),
    ("first", _first),
    ("user", _user),
    ("network", _network),
    ("ports", _ports),
    ("sees files", _sees),
    ("writes to", _writes),
    ("environment", _environment),
    ("secrets", _secrets),
    ("memory needed", _estimate),
)
_AFTER_LIMITS: tuple[_Subject, ...] = (
    ("shared memory", _shared_memory),
    ("GPUs", _gpus),
    ("ready when", _ready),
    ("watched by", _live),
    ("stop", _stop),
    ("warnings", _warnings),
)
