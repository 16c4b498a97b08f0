"""From a name to a supervised instance: lock, spec, backend, loop."""

from __future__ import annotations

import gc
import json
import os
import signal
import traceback

from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import InstanceRef
from las_jupyter.core.errors import LasError
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.limits.tree import boot_id
from las_jupyter.state.files import read_value
from las_jupyter.state.lock import Lock
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.process import Supervisor, load

_LOCK_WAIT = 1.0


def supervise(state_dir: str, log_dir: str, name: str, word: str, tell: int) -> None:
    """
    Own ``name`` until its end. ``word`` is ``start`` or ``adopt``; the outcome goes to descriptor ``tell`` as one
    JSON object before the loop begins.
    """
    os.set_inheritable(tell, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    paths = StatePaths(state_dir, log_dir)
    lock = Lock(paths.lock(name))
    if not lock.acquire(wait=_LOCK_WAIT):
        _say(tell, {"ok": False, "busy": True})
        return
    try:
        supervisor = _prepare(paths, name)
        adopted = word == "adopt"
        if adopted:
            if not _take_over(supervisor, paths, name):
                supervisor.lost()
                supervisor.finished = True
        else:
            supervisor.begin()
    except LasError as error:
        _say(tell, {"ok": False, "message": error.message, "cause": error.cause, "remedy": error.remedy})
        return
    except Exception:
        _say(tell, {"ok": False, "message": "The supervisor could not begin.", "cause": traceback.format_exc(limit=-3)})
        return
    failed = supervisor.launch_error
    if failed is not None:
        _say(tell, {"ok": False, "message": failed.message, "cause": failed.cause, "remedy": failed.remedy})
    else:
        _say(tell, {"ok": True})
    gc.collect()
    gc.freeze()
    supervisor.run()
    lock.release()


def _prepare(paths: StatePaths, name: str) -> Supervisor:
    spec, secrets = load(paths, name)
    return Supervisor(paths, name, load_backend(spec.backend), spec, secrets)


def _take_over(supervisor: Supervisor, paths: StatePaths, name: str) -> bool:
    last = read_value(paths.state(name), Snapshot)
    if last is None or last.boot_id != boot_id():
        return False
    handle = last.container_id or (str(last.pid) if last.pid else "")
    return bool(handle) and supervisor.adopt(InstanceRef(last.backend, handle, last.ref_token))


def _say(fd: int, data: dict[str, object]) -> None:
    try:
        os.write(fd, json.dumps(data).encode() + b"\n")
    except OSError:
        pass  # whoever started us is gone; the instance is not
    os.close(fd)
