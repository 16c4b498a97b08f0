"""What must be looked after though nothing happened: the log file, our own folder, memory nobody else bounds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from las_jupyter.core import lifecycle
from las_jupyter.core.launch import WATCHED_EVERY
from las_jupyter.core.quantities import format_size
from las_jupyter.core.snapshot import Usage
from las_jupyter.core.states import ProcessState
from las_jupyter.state.files import write_value
from las_jupyter.state.paths import UnsafeFolder, make_private

if TYPE_CHECKING:
    from las_jupyter.supervisor.process import Supervisor

_EVERY = 5.0
_WORTH_SAYING = 1.01  # times the peak so far
_FIRST_PEAK, _SLOWEST_PEAK = 1.0, 60.0  # asking costs the more the larger the module is


class Keeping:
    """The slow tick: a few system calls every five seconds."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.ran_out = False
        self._peak_every = _FIRST_PEAK
        supervisor.timers.set("keeping", _EVERY)

    def begin(self) -> None:
        """A module runs."""
        self.ran_out = False
        supervisor = self._supervisor
        supervisor.timers.set("logs", 0.0)
        self._peak_every = _FIRST_PEAK
        supervisor.timers.set("peak", _FIRST_PEAK)
        watched = supervisor.running.enforcement if supervisor.running else {}
        if watched.get("memory") == "watched":
            supervisor.timers.set("memory", WATCHED_EVERY["memory"])
        if watched.get("pids") == "watched":
            supervisor.timers.set("tasks", WATCHED_EVERY["pids"])

    def end(self) -> None:
        """It ended."""
        self.due_logs()  # its last words may have been many
        self._supervisor.timers.drop("logs", "memory", "tasks", "peak")

    def due_keeping(self) -> None:
        """Look after our own files."""
        supervisor = self._supervisor
        supervisor.timers.set("keeping", _EVERY)
        self._check_folder()
        supervisor.watching.look_at_sockets()
        news = (self._check_log(), self._check_memory())
        if any(news):
            supervisor.record.save()
        supervisor.record.retry()

    def due_logs(self) -> None:
        """Let the log store trim what is above its bounds."""
        again = self._supervisor.store.tick()
        if self._supervisor.record.warn("trim", self._supervisor.store.problem):
            self._supervisor.record.save()
        if again is not None:
            self._supervisor.timers.set("logs", again)

    def usage(self) -> Usage | None:
        """What the module uses now; the most since it was ready is kept in its state."""
        supervisor = self._supervisor
        if supervisor.running is None:
            return None
        found = supervisor.running.usage()
        snapshot = supervisor.record.snapshot
        if snapshot.ready_at is not None and found.memory > _WORTH_SAYING * (snapshot.memory_peak or 0):
            supervisor.record.change(memory_peak=found.memory)
            supervisor.record.save(quietly=True)
        return found

    def due_peak(self) -> None:
        """Look what a ready module uses: soon after it is ready, then ever more seldom."""
        supervisor = self._supervisor
        if supervisor.record.snapshot.ready_at is not None:
            self.usage()
            self._peak_every = min(_SLOWEST_PEAK, 2 * self._peak_every)
        supervisor.timers.set("peak", self._peak_every)

    def due_memory(self) -> None:
        """Where no cgroup bounds the memory of the tree, we watch it ourselves."""
        supervisor = self._supervisor
        limit = supervisor.spec.limits.memory
        if supervisor.running is None or limit is None:
            return
        found = self.usage()
        used = found.memory if found else 0
        if used > limit and supervisor.life.state is not ProcessState.STOPPING:
            self.ran_out = True
            told = f"it used {format_size(used)} of memory, more than its limit of {format_size(limit)}"
            supervisor.feed(lifecycle.LimitBroken(told))
        supervisor.timers.set("memory", WATCHED_EVERY["memory"])

    def due_tasks(self) -> None:
        """Where no cgroup bounds the number of processes and threads, we count them ourselves."""
        supervisor = self._supervisor
        limit = supervisor.spec.limits.pids
        if supervisor.running is None or limit is None:
            return
        there = supervisor.running.tasks()
        if there > limit:
            told = f"it had {there} processes and threads, more than its limit of {limit}"
            supervisor.feed(lifecycle.LimitBroken(told))
        supervisor.timers.set("tasks", WATCHED_EVERY["pids"])

    def _check_memory(self) -> bool:
        """A server may live on without a worker that the kernel killed; somebody should know."""
        running = self._supervisor.running
        killed = running.killed_for_memory() if running else 0
        word = f"the kernel killed {killed} of its processes because it ran out of memory" if killed else None
        return self._supervisor.record.warn("killed", word)

    def _check_log(self) -> bool:
        """A server writes on into a file that was deleted; its words can still be read through its descriptor."""
        supervisor = self._supervisor
        snapshot = supervisor.record.snapshot
        if supervisor.running is None or os.path.exists(snapshot.log_path):
            return supervisor.record.warn("log", None)
        where = (
            f"; it can be read as /proc/{snapshot.pid}/fd/1"
            if snapshot.pid and not snapshot.container_id and not supervisor.pump
            else ""
        )
        return supervisor.record.warn(
            "log", f"the log file {snapshot.log_path} was deleted while it was written{where}"
        )

    def _check_folder(self) -> None:
        supervisor = self._supervisor
        paths, name = supervisor.paths, supervisor.spec.name
        if supervisor.lock.still_ours() and os.path.exists(paths.state(name)) and supervisor.control.reachable():
            return
        try:
            for folder in (paths.state_dir, paths.instances, paths.instance(name)):
                make_private(folder)
            if not supervisor.lock.renew():
                supervisor.record.warn("folder", "another supervisor took its folder; this one only keeps what runs")
                return
            supervisor.control.open_again()
            if not os.path.exists(paths.spec(name)):
                write_value(paths.spec(name), supervisor.spec)
            supervisor.record.warn("folder", "its state folder was deleted and made again; its older events are lost")
            state = supervisor.life.state
            supervisor.record.note("folder made again", state, state, "its state folder was deleted while it ran")
            supervisor.record.save()
        except (OSError, UnsafeFolder):
            pass  # the next tick tries again
