"""
A house of one shelf, in memory, for the tests of the surfaces: it keeps the promises of ``stack.rooms``.

``SmallHouse.manager`` starts nothing: an instance is a snapshot that the test moves on by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from las_jupyter.core.errors import InstanceConflict, NoSuchInstance, PlanRefused, UnknownModule
from las_jupyter.core.launch import Decision, LaunchSpec, Port, SecretUse
from las_jupyter.core.request import ComparedRow, Comparison, Side, StartPlan, StartRequest
from las_jupyter.core.snapshot import EventRecord, ExitRecord, Health, Snapshot, Usage
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.stack.rooms import ModuleRow, OnBytes, SettingRow
from las_jupyter.stack.stack import Stack
from las_jupyter.stack.trusting import TrustedFile

NOW = 1_800_000_000.0


class Started(NamedTuple):
    snapshot: Snapshot
    reused: bool


class Piece(NamedTuple):
    text: str


class SmallLog:
    """The log of one start: a list of lines."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.size = sum(len(line) + 1 for line in lines)

    def tail(self, n: int) -> list[str]:
        return self.lines[-n:] if n else []

    def since(self, epoch: float) -> list[str]:
        return self.lines if epoch <= NOW - 60 else []

    def grep(self, pattern: str, limit: int) -> list[str]:
        return [line for line in self.lines if pattern in line][-limit:]

    def follow(self, from_offset: int | None = None, *, stop: Callable[[], bool]) -> Iterator[Piece]:
        yield Piece("half a ")
        yield Piece("line\nand another\n")
        assert stop() or True


class SmallManager:
    """Instances as a dictionary of snapshots."""

    def __init__(self) -> None:
        self.known: dict[str, Snapshot] = {}
        self.specs: dict[str, LaunchSpec] = {}
        self.keys: dict[str, dict[str, str]] = {}
        self.written: list[str] = ["one", "two \x1b[31mred\x1b[0m", "three <script>"]
        self.on_wait: Callable[[str], None] = self.become_ready
        self.data: dict[str, str] = {}
        self.stays: tuple[str, ...] = ()
        self.calls: list[tuple[str, Any]] = []

    def become_ready(self, name: str) -> None:
        self.known[name] = self.known[name]._replace(
            state=ProcessState.RUNNING, ready_at=NOW, health=Health(HealthState.HEALTHY, "HTTP 200", None, NOW)
        )

    def start(self, spec: LaunchSpec, secrets: dict[str, str], on_change: Any = None) -> Started:
        self.calls.append(("start", spec))
        old = self.known.get(spec.name)
        if old is not None and old.state.alive:
            if old.fingerprint == spec.fingerprint:
                return Started(old, True)
            raise InstanceConflict(f"{spec.name} already runs with another model.")
        self.specs[spec.name], self.keys[spec.name] = spec, secrets
        self.known[spec.name] = Snapshot(
            spec.name, spec.module, spec.mode, spec.backend, ProcessState.STARTING, "launched",
            fingerprint=spec.fingerprint, pid=4711, generation=1, started_at=NOW - 5, ports=spec.ports,
            url=f"http://127.0.0.1:{spec.ports[0].host}", log_path="/logs/1.log", model=spec.model,
        )  # fmt: skip
        return Started(self.known[spec.name], False)

    def snapshots(self) -> tuple[Snapshot, ...]:
        return tuple(self.known.values())

    def snapshot(self, name: str) -> Snapshot:
        if name not in self.known:
            raise NoSuchInstance(f"no {name}")
        return self.known[name]

    def spec(self, name: str) -> LaunchSpec:
        return self.specs[name]

    def secrets(self, name: str) -> dict[str, str]:
        return self.keys.get(name, {})

    def check_answerer(self, name: str, port: int, client: int = 0) -> None:
        """There are no ports: whoever is asked for is who answers."""

    def wait_ready(self, name: str, *, timeout: float | None = None, on_change: Any = None) -> Snapshot:
        self.calls.append(("wait_ready", timeout))
        if on_change is not None:
            on_change(self.known[name])
        self.on_wait(name)
        return self.known[name]

    def stop(self, name: str, *, grace: float | None = None, on_change: Any = None) -> Snapshot:
        self.calls.append(("stop", (name, grace)))
        ended = ExitRecord(code=0, requested=True, text="ended with code 0 after it was asked to stop", at=NOW)
        self.known[name] = self.known[name]._replace(
            state=ProcessState.STOPPED, reason="stopped on request", exit=ended, pid=None
        )
        return self.known[name]

    def restart(self, name: str) -> Snapshot:
        before = self.snapshot(name)
        self.known[name] = before._replace(state=ProcessState.STARTING, generation=before.generation + 1)
        return self.known[name]

    def remove(self, name: str, *, data: bool = False) -> tuple[str, ...]:
        if self.snapshot(name).state.alive:
            raise InstanceConflict(f"{name} runs.", remedy=f"%las stop {name}")
        del self.known[name]
        self.keys.pop(name, None)
        return self.stays

    def events(self, name: str) -> tuple[EventRecord, ...]:
        return (
            EventRecord(NOW - 5, "start-requested", "stopped", "starting", "asked by a test", 1),
            EventRecord(NOW - 1, "ready", "starting", "running", "HTTP 200", 1),
        )

    def data_folder(self, name: str) -> str | None:
        return self.data.get(name)

    def watch(self, names: Any = None, stop: Any = None) -> Iterator[Snapshot]:
        yield from self.snapshots()

    def usage(self, name: str) -> Usage | None:
        return Usage(cpu_seconds=1.5, memory=3 * 2**20, processes=1, source="PSS", at=NOW)

    def log(self, name: str, generation: int | None = None) -> SmallLog:
        self.calls.append(("log", (name, generation)))
        return SmallLog(self.written)


class SmallHouse:
    """A catalog of two modules; ``db`` is needed by ``web``."""

    def __init__(self) -> None:
        self.manager = SmallManager()
        self.to_fetch: list[tuple[int, int]] = []
        self.planned: list[StartRequest] = []
        self.refusal: PlanRefused | None = None

    def plan(self, request: StartRequest) -> StartPlan:
        self.planned.append(request)
        if request.module not in ("llama.cpp", "db", "web"):
            raise UnknownModule(f"There is no module {request.module!r}.", remedy="did you mean llama.cpp?")
        if self.refusal is not None:
            raise self.refusal
        spec = LaunchSpec(
            request.name or request.module, request.module, Mode.NATIVE, "fake", ("serve", "--x"),
            fingerprint=f"{request.module}:{request.model}", env=request.env,
            ports=(Port("http", request.port or 8080, 8080),), secrets=(SecretUse("api_key", env="KEY"),),
            lifetime=request.lifetime, model=request.model, model_alias="smol",
            provides=("openai-compatible-api",) if request.module == "llama.cpp" else (),
            api_path="/v1" if request.module == "llama.cpp" else None,
        )  # fmt: skip
        decisions = (Decision("mode", "native", "preferred by the manifest", {"container": "no <engine> here"}),)
        return StartPlan(
            request, spec, decisions, requires=("db",) if request.module == "web" else (), warnings=("small machine",)
        )

    def compare(self, request: StartRequest) -> Comparison:
        plan = self.plan(request._replace(mode=Mode.NATIVE))
        rows = (
            ComparedRow("possible", "yes", "no: no <engine> here"),
            ComparedRow("user", "you", "1000:1000", differs=True),
        )
        sides = (Side(Mode.NATIVE, plan), Side(Mode.CONTAINER, None, "no <engine> here"))
        return Comparison(request.module, request.module, rows, sides)

    def fetch(self, plan: StartPlan, on_bytes: OnBytes) -> bool:
        for done, total in self.to_fetch:
            on_bytes("model.gguf", done, total)
        fetched, self.to_fetch = bool(self.to_fetch), []
        return fetched

    def modules(self) -> list[ModuleRow]:
        row = ModuleRow("llama.cpp", "1.0", ("native",), "runtime", "bundled", True, "", "runs GGUF models")
        return [row, row._replace(name="db", category="database", note="needs <podman>")]

    def broken_manifests(self) -> list[str]:
        return []

    def models(self) -> list[str]:
        return ["smollm2-135m"]

    def settings(self) -> list[SettingRow]:
        return [SettingRow("runtime.default_mode", "native", "default"), SettingRow("logs.keep", "10", "las.toml")]

    def settings_notes(self) -> list[str]:
        return []

    def trust(self, path: str) -> str:
        return f"{path} is trusted."

    def revoke(self, path: str) -> str:
        return f"{path} is trusted no longer."

    def trusted(self) -> tuple[TrustedFile, ...]:
        return (TrustedFile("/m.yaml", "run natively", ""),)

    def doctor(self) -> str:
        return "all is well"


class Listener:
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.updates: list[tuple[str, float | None]] = []
        self.closed = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def update(self, text: str, fraction: float | None = None) -> None:
        self.updates.append((text, fraction))

    def close(self) -> None:
        self.closed += 1


def small_stack() -> tuple[Stack, SmallHouse, Listener]:
    """A stack over a small house, with a listener in place of a screen and a clock that stands still."""
    house, listener = SmallHouse(), Listener()
    return Stack(house, reporter=lambda: listener, clock=lambda: NOW), house, listener
