"""What the stack needs of the rest of the house; the tests bring a small one of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.request import Comparison, StartPlan, StartRequest
from las_jupyter.core.snapshot import EventRecord, Snapshot, Usage
from las_jupyter.stack.strangers import Stranger
from las_jupyter.stack.trusting import TrustedFile

OnChange = Callable[[Snapshot], None]
OnBytes = Callable[[str, int, int | None], None]
"""What is fetched, bytes so far, bytes altogether or None."""


class Started(Protocol):
    """What the manager says of a start."""

    @property
    def snapshot(self) -> Snapshot:
        """The instance now."""

    @property
    def reused(self) -> bool:
        """Whether it ran before with the same spec."""


class Chunk(Protocol):
    """A piece of a log."""

    @property
    def text(self) -> str:
        """What it says, redacted and without escape sequences."""


class Log(Protocol):
    """The reader of one start's log."""

    def tail(self, n: int) -> list[str]:
        """The last ``n`` lines."""

    def since(self, epoch: float) -> list[str]:
        """The lines written since then."""

    def grep(self, pattern: str, limit: int) -> list[str]:
        """The last ``limit`` lines that match."""

    def follow(self, from_offset: int | None = None, *, stop: Callable[[], bool]) -> Iterator[Chunk]:
        """What is there from the offset, then what comes, until ``stop`` says so."""


class Manager(Protocol):
    """The client side of all supervisors (``runtime.manager``)."""

    def start(self, spec: LaunchSpec, secrets: dict[str, str], on_change: OnChange | None = None) -> Started: ...
    def snapshots(self) -> tuple[Snapshot, ...]: ...
    def snapshot(self, name: str) -> Snapshot: ...
    def spec(self, name: str) -> LaunchSpec: ...
    def secrets(self, name: str) -> dict[str, str]: ...
    def check_answerer(self, name: str, port: int, client: int = 0) -> None: ...
    def wait_ready(self, name: str, *, timeout: float | None = None, on_change: OnChange | None = None) -> Snapshot: ...
    def stop(self, name: str, *, grace: float | None = None, on_change: OnChange | None = None) -> Snapshot: ...
    def restart(self, name: str) -> Snapshot: ...
    def remove(self, name: str, *, data: bool = False) -> tuple[str, ...]: ...
    def data_folder(self, name: str) -> str | None: ...
    def check_data(self, name: str) -> None: ...
    def events(self, name: str) -> tuple[EventRecord, ...]: ...
    def watch(self, names: list[str] | None = None, stop: Callable[[], bool] = lambda: False) -> Iterator[Snapshot]: ...
    def usage(self, name: str) -> Usage | None: ...
    def log(self, name: str, generation: int | None = None) -> Any: ...


class ModuleRow(NamedTuple):
    """One module of the catalog, as a person chooses by; ``ways`` are those to start it here and now."""

    name: str
    version: str
    modes: tuple[str, ...]
    category: str
    origin: str
    trusted: bool
    note: str
    description: str
    ways: tuple[str, ...] = ()


class SettingRow(NamedTuple):
    """One setting, its value as text, and where it came from."""

    key: str
    value: str
    source: str


class Rooms(Protocol):
    """The rest of the house."""

    @property
    def manager(self) -> Manager:
        """The client side of the supervisors of the state folder in use."""

    def plan(self, request: StartRequest) -> StartPlan:
        """The decided answer. Raises ``PlanRefused`` or a ``BadRequest``; touches nothing."""

    def compare(self, request: StartRequest) -> Comparison:
        """The same start in both modes. Raises ``PlanRefused`` where neither is possible, or a ``BadRequest``."""

    def fetch(self, plan: StartPlan, on_bytes: OnBytes) -> bool:
        """Fetch what the plan needs first; whether anything was fetched. Raises ``DownloadFailed``."""

    def modules(self) -> list[ModuleRow]:
        """The catalog."""

    def broken_manifests(self) -> list[str]:
        """A sentence for each manifest that could not be read."""

    def stranger(self, module: str, port: int | None, *, foreign: bool = False) -> Stranger:
        """
        A server of the module that was not started here; ``foreign`` allows another user's.

        Raises ``BadRequest``, ``NoSuchInstance``.
        """

    def models(self) -> list[str]:
        """Names of models we know, for completion."""

    def settings(self) -> list[SettingRow]:
        """Every setting."""

    def settings_notes(self) -> list[str]:
        """A sentence for each file that does not count, or not all of it, and for one that holds for everybody."""

    def trust(self, path: str) -> str:
        """Pin a manifest or a project's settings; the sentence that says what was done."""

    def revoke(self, path: str) -> str:
        """Take that back; the sentence that says so. Raises ``BadRequest`` when it was not pinned."""

    def trusted(self) -> tuple[TrustedFile, ...]:
        """Everything that is pinned."""

    def doctor(self) -> Any:
        """The findings of the doctor, a table."""
