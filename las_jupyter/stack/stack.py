"""
One door: every surface asks here, and every answer is a value that can be shown, kept or turned into JSON.

A ``Stack`` holds no server and no lock; any number of them, in any number of kernels, see the same instances.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, Unpack, overload

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, LasError, NoSuchInstance
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.request import Comparison, StartPlan
from las_jupyter.core.snapshot import EventRecord, Snapshot, Usage
from las_jupyter.display.comparison import ReadableComparison
from las_jupyter.display.lists import events_table, health_table, modules_table, settings_table, trusted_table
from las_jupyter.display.plans import ReadablePlan
from las_jupyter.display.progress import Progress, progress_here
from las_jupyter.display.status import status_table
from las_jupyter.display.table import Table
from las_jupyter.display.text import LogText, Text
from las_jupyter.display.words import nearest, short
from las_jupyter.stack.attached import Attached
from las_jupyter.stack.house import House
from las_jupyter.stack.instance import Instance
from las_jupyter.stack.reading import follow_lines, read_log
from las_jupyter.stack.removing import remove_instance
from las_jupyter.stack.requests import StartOptions, Word, how_to_set, start_request
from las_jupyter.stack.rooms import ModuleRow, Rooms, SettingRow
from las_jupyter.stack.starting import bring_up
from las_jupyter.stack.trusting import TrustedFile
from las_jupyter.stack.waiting import interruptible, telling, wait_ready

Reporter = Callable[[], Progress]


class Stack:
    """All verbs, blocking. ``rooms`` is the rest of the house; ``reporter`` makes the line a waiting person reads."""

    def __init__(
        self,
        rooms: Rooms | None = None,
        *,
        reporter: Reporter = progress_here,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rooms: Rooms = House() if rooms is None else rooms
        self._reporter = reporter
        self._clock = clock

    # ---- starting and ending

    def start(self, module: Word, *, wait: bool = True, **options: Unpack[StartOptions]) -> Instance:
        """
        Start ``module`` and return its instance, ready to serve; ``wait=False`` returns as soon as it is launched.

        Starting what already runs with the same spec returns that instance and says so. Raises ``BadRequest``,
        ``PlanRefused``, ``InstanceConflict``, ``LaunchFailed``, ``DownloadFailed``.
        """
        request = start_request(module, options)
        progress = self._reporter()
        try:
            outcome = bring_up(self.rooms, request, progress, wait=wait, now=self._clock())
        finally:
            progress.close()
        return Instance(self, outcome.snapshot.name)

    @overload
    def plan(self, module: Word, *, compare: Literal[False] = False, **options: Unpack[StartOptions]) -> StartPlan: ...
    @overload
    def plan(self, module: Word, *, compare: bool, **options: Unpack[StartOptions]) -> StartPlan | Comparison: ...
    def plan(self, module: Word, *, compare: bool = False, **options: Unpack[StartOptions]) -> StartPlan | Comparison:
        """
        What a start would do, with every reason; with ``compare`` in native and in container mode, side by side.

        Raises ``PlanRefused``; touches nothing.
        """
        if compare:
            return ReadableComparison(*self.rooms.compare(start_request(module, options)))
        return ReadablePlan(*self.rooms.plan(start_request(module, options)))

    def attach(
        self, module: Word, *, port: int | None = None, api_key_env: str | None = None, foreign: bool = False
    ) -> Attached:
        """
        Use a server of ``module`` that somebody else started here; it is looked at and never ended.

        ``api_key_env`` names the environment variable with its key, where it wants one. Raises ``BadRequest`` when
        what listens there is something else, or another user's without ``foreign``, ``NoSuchInstance`` when nobody
        does.
        """
        request = start_request(module, {"port": port})
        key = os.environ.get(api_key_env) if api_key_env else None
        if api_key_env and not key:
            raise BadRequest(
                f"There is no key in {api_key_env}.",
                cause="the environment has no such variable, or an empty one",
                remedy=how_to_set(api_key_env),
            )
        return Attached(self.rooms.stranger(request.module, request.port, foreign=foreign), key)

    def stop(self, name: str | None = None, *, grace: float | str | None = None, all: bool = False) -> Text:
        """Stop it, verify that nothing of it is left, and say how it ended; ``all`` stops every instance."""
        if all:
            if name is not None:
                raise BadRequest(
                    "stop takes a name or all, not both.", cause=f"{name} and all were given", remedy="%las stop --all"
                )
            return self._stop_all(grace)
        return self._stop_one(self._pick(name, alive=True), grace)

    def _stop_one(self, name: str, grace: float | str | None) -> Text:
        before = self.snapshot(name)
        if not before.state.alive:
            return Text(f"{name} was not running: {before.reason}", data=before)
        seconds = start_request("any", {"grace": grace}).grace
        progress = self._reporter()
        with interruptible(progress, f"Stopped waiting; {name} goes on ending.", f"%las status {word(name)}"):
            after = self.rooms.manager.stop(name, grace=seconds, on_change=telling(progress, "stopping"))
        how = after.exit.text if after.exit and after.exit.text else after.reason
        return Text(f"{name} stopped: {how}", data=after)

    def _stop_all(self, grace: float | str | None) -> Text:
        told, problems = [], []
        for snapshot in self.rooms.manager.snapshots():
            if snapshot.state.alive:
                try:
                    told.append(self._stop_one(snapshot.name, grace))
                except LasError as error:
                    problems.append(error)
        if problems:
            raise problems[0]
        return Text("\n".join(told) or "Nothing was running.", data=[text.data for text in told])

    def restart(self, name: str | None = None, *, wait: bool = True) -> Instance:
        """Stop it and start it again as it was; returns when it is ready, or at once with ``wait=False``."""
        picked = self._pick(name, alive=False)
        self.snapshot(picked)
        self.rooms.manager.restart(picked)
        if wait:
            self.wait_ready(picked)
        return Instance(self, picked)

    def remove(self, name: str, *, data: bool = False, yes: bool = False) -> Text:
        """
        Forget an instance that ended, with its logs; ``data`` with ``yes`` deletes the data it kept as well.

        Data that stays keeps its key: a later instance of that name opens it. Raises ``InstanceConflict`` while it
        runs, ``BadRequest`` when data is to be deleted without a yes.
        """
        return remove_instance(self.rooms.manager, name, lambda: self.snapshot(name), data=data, yes=yes)

    def wait_ready(self, name: str, *, timeout: float | None = None) -> Snapshot:
        """The snapshot once it is ready. Raises ``LaunchFailed``, ``StartTimeout``."""
        self.snapshot(name)
        return wait_ready(self.rooms.manager, name, self._reporter(), timeout)

    # ---- looking

    def get(self, name: str | None = None) -> Instance:
        """The instance of that name, whichever kernel started it. Raises ``NoSuchInstance``."""
        picked = self._pick(name, alive=False)
        self.snapshot(picked)
        return Instance(self, picked)

    def status(self, name: str | None = None) -> Table[Snapshot]:
        """Every instance, or the one named, as a table of snapshots; for one also the image that it runs."""
        found = [self._measured(each) for each in self._snapshots(name)]
        images = tuple(f"{each.name} runs the image {each.image}" for each in found if name and each.image)
        return status_table(found, now=self._clock(), notes=images)

    def health(self, name: str | None = None) -> Table[Snapshot]:
        """How instances are, why we believe so, and when they were last asked."""
        return health_table(self._snapshots(name), now=self._clock())

    def logs(
        self,
        name: str | None = None,
        *,
        tail: int | None = None,
        since: str | float | None = None,
        grep: str | None = None,
        generation: int | None = None,
    ) -> LogText:
        """What it wrote: the last ``tail`` lines (100), only those newer than ``since``, only those that match."""
        picked = self._pick(name, alive=False)
        snapshot = self.snapshot(picked)
        log = self.rooms.manager.log(picked, generation)
        return read_log(log, snapshot, tail=tail, since=since, grep=grep, now=self._clock())

    def follow(self, name: str | None = None, *, tail: int = 10) -> Iterator[str]:
        """The last ``tail`` lines, then each line as it comes, until the instance has ended."""
        picked = self._pick(name, alive=False)
        self.snapshot(picked)
        return follow_lines(self.rooms.manager, picked, tail)

    def events(self, name: str | None = None, *, tail: int | None = None) -> Table[EventRecord]:
        """What happened to it, oldest first; only the last ``tail`` when given."""
        picked = self._pick(name, alive=False)
        self.snapshot(picked)
        events = self.rooms.manager.events(picked)
        return events_table(events[-tail:] if tail else events)

    def snapshot(self, name: str) -> Snapshot:
        """Everything known of it now. Raises ``NoSuchInstance`` naming the nearest."""
        try:
            return self.rooms.manager.snapshot(name)
        except NoSuchInstance as error:
            raise self._unknown(name) from error

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All instances."""
        return self.rooms.manager.snapshots()

    def watch(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Snapshot]:
        """Every change of any instance as it happens, new ones included, until ``stop`` says so."""
        return self.rooms.manager.watch(None, stop)

    def usage(self, name: str) -> Usage | None:
        """What it uses now; None when it does not run or nobody can tell."""
        return self.rooms.manager.usage(name)

    def log_reader(self, name: str) -> Any:
        """The reader of its last start's log, for whoever reads by offset."""
        return self.rooms.manager.log(name)

    def command(self, verb: str, name: str) -> None:
        """What a button asks for: ``stop``, ``restart``, ``start`` (again, as it was) or ``rm``."""
        manager = self.rooms.manager
        match verb:
            case "stop":
                manager.stop(name)
            case "restart" | "start":
                manager.restart(name)
            case "rm":
                manager.remove(name)
            case _:
                raise BadRequest(f"There is no verb {verb!r} for a button.")

    def spec(self, name: str) -> LaunchSpec:
        """What was decided for it."""
        return self.rooms.manager.spec(name)

    def secrets(self, name: str) -> dict[str, str]:
        """Its generated secrets."""
        return self.rooms.manager.secrets(name)

    # ---- this machine

    def modules(self) -> Table[ModuleRow]:
        """What can be started here."""
        return modules_table(self.rooms.modules(), notes=tuple(self.rooms.broken_manifests()))

    def trust(self, path: Word | None = None, *, revoke: bool = False) -> Text | Table[TrustedFile]:
        """
        Allow a manifest to run natively, or a project's ``las.toml`` to choose programs and folders.

        It holds as long as the content stays the same. ``revoke`` takes it back; without a path it is told what is
        trusted. Raises ``InvalidManifest``, ``InvalidSettings``, and ``BadRequest`` when there is nothing to take back.
        """
        if path is not None:
            return Text(self.rooms.revoke(str(path)) if revoke else self.rooms.trust(str(path)))
        if revoke:
            raise BadRequest(
                "Whose trust is taken back was not said.",
                cause="revoke goes with a file",
                remedy="%las trust lists them",
            )
        return trusted_table(self.rooms.trusted())

    def config(self, key: str | None = None) -> Table[SettingRow]:
        """Every setting with its value and where it came from; only those whose name begins with ``key``."""
        rows = self.rooms.settings()
        kept = [row for row in rows if key is None or row.key == key or row.key.startswith(key.rstrip(".") + ".")]
        if not kept:
            near = nearest(str(key), {row.key for row in rows} | {row.key.split(".")[0] for row in rows})
            raise BadRequest(
                f"There is no setting {short(key)}.",
                cause=f"the groups are {', '.join(sorted({row.key.split('.')[0] for row in rows}))}",
                remedy=f"%las config {word(near)}" if near else "%las config",
            )
        return settings_table(kept, notes=tuple(self.rooms.settings_notes()))

    def doctor(self) -> Any:
        """What this machine offers and lacks, with the cure for each lack."""
        return self.rooms.doctor()

    def panel(self, name: str | None = None) -> Any:
        """The live panel of all instances, or of one. Raises ``BadRequest`` where there is no notebook for it."""
        if name is not None:
            self.snapshot(name)
        return importlib.import_module("las_jupyter.widgets.panel").Panel(self, name=name)

    def panel_if_any(self, name: str | None = None) -> Any | None:
        """The panel, or None where widgets cannot be shown."""
        try:
            return self.panel(name)
        except (ImportError, LasError, OSError):
            return None

    # ---- names

    def _measured(self, snapshot: Snapshot) -> Snapshot:
        """With what it uses now, where it runs and its supervisor answers."""
        if not snapshot.state.alive:
            return snapshot
        return snapshot._replace(usage=self.rooms.manager.usage(snapshot.name) or snapshot.usage)

    def _snapshots(self, name: str | None) -> list[Snapshot]:
        if name is not None:
            return [self.snapshot(name)]
        return sorted(self.rooms.manager.snapshots(), key=lambda each: (not each.state.alive, each.name))

    def _pick(self, name: str | None, *, alive: bool) -> str:
        """``name``, or the only instance there is; a running one before ended ones."""
        if name is not None:
            return name
        known = self.rooms.manager.snapshots()
        running = [each.name for each in known if each.state.alive]
        choice = running if alive or running else [each.name for each in known]
        if len(choice) == 1:
            return choice[0]
        if not choice:
            ended = f"ended are {', '.join(sorted(each.name for each in known))}" if known else "none was started yet"
            raise NoSuchInstance(
                "Nothing runs here." if known else "No instance is known here.",
                cause=ended,
                remedy="%las status" if known else "%las start llama.cpp",
            )
        first = min(choice)
        raise BadRequest(
            "There is more than one instance; say which.",
            cause=f"there are {', '.join(sorted(choice))}",
            remedy=f"name it, as {word(first)}",
        )

    def _unknown(self, name: str) -> NoSuchInstance:
        names = sorted(each.name for each in self.rooms.manager.snapshots())
        near = nearest(name, names)
        return NoSuchInstance(
            f"There is no instance {name!r}.",
            cause=f"known are: {', '.join(names)}" if names else "none is known here",
            remedy=f"did you mean {word(near)}?" if near else "%las status" if names else "%las start llama.cpp",
        )
