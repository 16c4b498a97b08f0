"""From a name to a supervised instance: lock, spec, backend, loop."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal

from las_jupyter.backends.table import load_backend
from las_jupyter.core.advice import word
from las_jupyter.core.backend import InstanceRef
from las_jupyter.core.errors import LasError, StateDamaged
from las_jupyter.core.launch import LEAST_PAUSE, SPEC_FORMAT, LaunchSpec
from las_jupyter.core.snapshot import EventRecord, Snapshot
from las_jupyter.core.states import ProcessState
from las_jupyter.state.files import edition, forget_unfinished, read_bytes, read_value
from las_jupyter.state.journal import keep_within_bounds, replay
from las_jupyter.state.lock import Lock
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.process import Supervisor

_LOCK_WAIT = 2.0
_SHORT_WAIT = 0.1
_ENDINGS = ("StopRequested", "RestartRequested", "Stalled", "LimitBroken", "OpenedToNetwork", "MainEnded")


def supervise(state_dir: str, log_dir: str, name: str, word: str, spec_edition: str, tell: int) -> None:
    """
    Own ``name`` until its end. ``word`` is ``start`` or ``adopt``; the outcome goes to descriptor ``tell`` as one
    JSON object before the loop begins. ``spec_edition`` is the spec that was meant: when another one was written while
    we waited for the lock, somebody else's start came first and ours is over.
    """
    os.set_inheritable(tell, False)
    _leave_no_core()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    paths = StatePaths(state_dir, log_dir)
    lock = Lock(paths.lock(name))
    try:
        if not lock.acquire(wait=_LOCK_WAIT if word == "start" else _SHORT_WAIT):
            _say(tell, {"ok": False, "busy": True})
            return
        if edition(paths.spec(name)) != spec_edition:
            lock.release()
            _say(tell, {"ok": False, "busy": True})
            return
        supervisor = _begin(paths, lock, name, word)
    except LasError as error:
        _say(tell, _told(error))
        return
    except OSError as error:
        _say(tell, {"ok": False, "message": f"The supervisor of {name} could not begin.", "cause": str(error)})
        return
    failed = supervisor.launch_error
    _say(tell, {"ok": True} if failed is None else _told(failed))
    gc.collect()
    gc.freeze()
    supervisor.run()
    lock.release()


def _leave_no_core() -> None:
    """
    We are about to hold a key, and so will a pump and whatever else we start: none of us leaves a core file with it.

    The filter is for machines that pipe cores to a program, which the limit does not hold back: what they get is empty.
    Not ``PR_SET_DUMPABLE``: it would give our ``/proc`` folder to root, and who looks after us could not look, while
    whoever may read our memory may read ``secrets.json`` anyway.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        with open("/proc/self/coredump_filter", "w") as file:
            file.write("0")
    except OSError:
        pass  # a kernel without it


def _begin(paths: StatePaths, lock: Lock, name: str, word: str) -> Supervisor:
    forget_unfinished(paths.state(name))
    spec = _read_spec(paths, name)
    before = read_value(paths.state(name), Snapshot)
    keep_within_bounds(paths.events(name))
    journal = replay(paths.events(name)) if word == "adopt" or before is None else ()
    before = _rebuilt(spec, journal) if before is None else before
    supervisor = Supervisor(paths, lock, load_backend(spec.backend), spec, _read_secrets(paths, name), before)
    if word == "adopt" and before is not None:
        endings = [record.event for record in journal if record.event in _ENDINGS and not _follows_an_ending(record)]
        supervisor.adopt(_ref(before, journal), endings[-1] if endings else "")
    else:
        supervisor.begin()
    return supervisor


def _follows_an_ending(record: EventRecord) -> bool:
    """Whether main ended because its end had begun: what began it says what follows."""
    return record.event == "MainEnded" and record.before == ProcessState.STOPPING


def _read_spec(paths: StatePaths, name: str) -> LaunchSpec:
    spec = read_value(paths.spec(name), LaunchSpec)
    if spec is None:
        raise StateDamaged(
            f"The launch spec of {name} cannot be read; it was kept aside.", remedy=f"%las rm {word(name)}"
        )
    if spec.format > SPEC_FORMAT:
        raise StateDamaged(
            f"The launch spec of {name} was written by a newer version.",
            cause=f"its format is {spec.format}, this version reads up to {SPEC_FORMAT}",
            remedy="start it from the environment that wrote it",
        )
    return _with_floors(spec)


def _with_floors(spec: LaunchSpec) -> LaunchSpec:
    """Nothing is asked or tried without a pause, whoever wrote the spec: an older version knew no floors."""
    live, restart = spec.live, spec.restart
    return spec._replace(
        live=live._replace(every=max(LEAST_PAUSE, live.every)),
        restart=restart._replace(first=max(LEAST_PAUSE, restart.first), cap=max(LEAST_PAUSE, restart.cap)),
    )


def _read_secrets(paths: StatePaths, name: str) -> dict[str, str]:
    data = read_bytes(paths.secrets(name))
    try:
        return {str(key): str(value) for key, value in json.loads(data or b"{}").items()}
    except (ValueError, AttributeError, RecursionError):
        raise StateDamaged(f"The secrets of {name} cannot be read.", remedy=f"%las rm {word(name)}") from None


def _rebuilt(spec: LaunchSpec, journal: tuple[EventRecord, ...]) -> Snapshot | None:
    """Where it stood, from the journal, when ``state.json`` is damaged; None when it never ran."""
    if not journal:
        return None
    last = journal[-1]
    launched = next((record for record in reversed(journal) if record.event == "Launched"), last)
    ready = any(record.event == "BecameReady" and record.generation == last.generation for record in journal)
    try:
        state = ProcessState(last.after)
    except ValueError:
        # Said in words of another version: whether it runs is asked of its process then.
        state = ProcessState.RUNNING
    number = launched.data.get("id", "")
    pid = int(number) if number.isascii() and number.isdigit() and len(number) < 12 else None
    return Snapshot(
        spec.name, spec.module, spec.mode, spec.backend, state, last.reason, generation=last.generation,
        created_at=journal[0].at, started_at=launched.at, ready_at=launched.at if ready else None,
        log_path=launched.data.get("log", ""), pid=pid,
        ref_token=launched.data.get("token", ""),
    )  # fmt: skip


def _ref(before: Snapshot, journal: tuple[EventRecord, ...]) -> InstanceRef | None:
    launched = next((record for record in reversed(journal) if record.event == "Launched"), None)
    if launched is not None and launched.generation == before.generation and launched.data.get("id"):
        return InstanceRef(before.backend, launched.data["id"], launched.data.get("token", ""))
    number = before.container_id or (str(before.pid) if before.pid else "")
    return InstanceRef(before.backend, number, before.ref_token) if number else None


def _told(error: LasError) -> dict[str, object]:
    return {"ok": False, "message": error.message, "cause": error.cause, "remedy": error.remedy}


def _say(tell: int, what: dict[str, object]) -> None:
    try:
        os.write(tell, json.dumps(what).encode() + b"\n")
    except OSError:
        pass  # whoever started us is gone; the state files tell
    os.close(tell)
