"""What the page is sent, how seldom, and that it can always catch up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import Decision, LaunchSpec
from las_jupyter.core.snapshot import Health, Snapshot, Usage
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.logs.reader import LogReader
from las_jupyter.widgets import generate_types
from las_jupyter.widgets.publisher import LOG_BYTES, UNWATCHED_AFTER, Publisher
from las_jupyter.widgets.wire import light


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Page:
    """Stands for the widget: remembers what was set and sent."""

    def __init__(self) -> None:
        self.cards: list[dict[str, Any]] = []
        self.beat = 0.0
        self.notice = ""
        self.only = ""
        self.sent: list[dict[str, Any]] = []
        self.written: list[str] = []

    def __setattr__(self, name: str, value: Any) -> None:
        if "written" in self.__dict__:
            self.written.append(name)
        super().__setattr__(name, value)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)


class Source:
    def __init__(self, log: Path) -> None:
        self.log = log
        self.snapshot = Snapshot(
            "chat", "llama.cpp", Mode.NATIVE, "native", ProcessState.RUNNING, "ready",
            Health(HealthState.HEALTHY, "/health answers 200"), generation=1, log_path=str(log),
        )  # fmt: skip
        self.commands: list[tuple[str, str]] = []
        self.problem: LasError | None = None
        self.cpu = 0.0

    def snapshots(self) -> tuple[Snapshot, ...]:
        return (self.snapshot,)

    def spec(self, name: str) -> LaunchSpec:
        return LaunchSpec(
            name, "llama.cpp", Mode.NATIVE, "native", ("x",), decisions=(Decision("mode", "native", "why"),)
        )

    def usage(self, name: str) -> Usage | None:
        self.cpu += 1.0
        return Usage(self.cpu, 1000, 1, None, "pss", self.cpu * 2)

    def log_reader(self, name: str) -> LogReader:
        return LogReader(str(self.log))

    def command(self, verb: str, name: str) -> None:
        if self.problem:
            raise self.problem
        self.commands.append((verb, name))


def watched(tmp_path: Path) -> tuple[Publisher, Page, Source, Clock]:
    log = tmp_path / "1.log"
    log.write_bytes(b"one\ntwo\n")
    page, source, clock = Page(), Source(log), Clock()
    return Publisher(page, source, clock), page, source, clock


def rounds(publisher: Publisher, clock: Clock, seconds: float) -> None:
    for _ in range(int(seconds * 10)):
        clock.now += 0.1
        publisher.deliver()


def test_a_card_shows_the_instance_and_why_it_was_started_so(tmp_path: Path) -> None:
    publisher, page, _, clock = watched(tmp_path)
    rounds(publisher, clock, 1)

    assert page.cards[0]["light"] == "healthy"
    assert page.cards[0]["decisions"] == [{"subject": "mode", "choice": "native", "reason": "why"}]


def test_what_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    publisher, page, source, clock = watched(tmp_path)
    source.usage = lambda name: None  # type: ignore[method-assign]
    rounds(publisher, clock, 1)
    page.written.clear()
    rounds(publisher, clock, 1)

    assert "cards" not in page.written


def test_a_panel_that_nobody_looks_at_costs_nothing(tmp_path: Path) -> None:
    publisher, page, _, clock = watched(tmp_path)
    rounds(publisher, clock, UNWATCHED_AFTER + 1)
    page.written.clear()
    rounds(publisher, clock, 5)
    assert page.written == []

    publisher.tell({"t": "here"})
    rounds(publisher, clock, 1)
    assert "beat" in page.written


def test_a_log_begins_with_its_tail_and_goes_on_without_a_gap(tmp_path: Path) -> None:
    publisher, page, source, clock = watched(tmp_path)
    rounds(publisher, clock, 1)
    publisher.tell({"t": "log", "name": "chat", "generation": None, "offset": None})
    rounds(publisher, clock, 1)
    with source.log.open("ab") as file:
        file.write(b"three\n")
    rounds(publisher, clock, 1)

    first, second = [each for each in page.sent if each["t"] == "log"]
    assert (first["text"], first["reset"]) == ("one\ntwo\n", True)
    assert (second["text"], second["offset"]) == ("three\n", first["next"])


def test_a_flood_comes_in_bounded_pieces(tmp_path: Path) -> None:
    publisher, page, source, clock = watched(tmp_path)
    rounds(publisher, clock, 1)
    publisher.tell({"t": "log", "name": "chat", "generation": 1, "offset": 8})
    source.log.write_bytes(b"one\ntwo\n" + b"x" * 99 + b"\n" * 1 + (b"y" * 99 + b"\n") * 2000)
    rounds(publisher, clock, 1)

    pieces = [each for each in page.sent if each["t"] == "log"]
    assert len(pieces) <= 10
    assert all(len(each["text"]) <= LOG_BYTES for each in pieces)


def test_a_new_start_begins_a_new_log(tmp_path: Path) -> None:
    publisher, page, source, clock = watched(tmp_path)
    rounds(publisher, clock, 1)
    publisher.tell({"t": "log", "name": "chat", "generation": None, "offset": None})
    rounds(publisher, clock, 1)
    source.log = tmp_path / "2.log"
    source.log.write_bytes(b"again\n")
    source.snapshot = source.snapshot._replace(generation=2)
    rounds(publisher, clock, 1)

    last = [each for each in page.sent if each["t"] == "log"][-1]
    assert (last["generation"], last["reset"], last["text"]) == (2, True, "again\n")


def answers(publisher: Publisher, page: Page, clock: Clock) -> list[dict[str, Any]]:
    import time

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not any(each["t"] == "done" for each in page.sent):
        rounds(publisher, clock, 0.1)
        time.sleep(0.005)
    return [each for each in page.sent if each["t"] in ("ack", "done")]


def test_a_click_is_acknowledged_and_then_answered(tmp_path: Path) -> None:
    publisher, page, source, clock = watched(tmp_path)
    publisher.tell({"t": "do", "id": 5, "verb": "stop", "name": "chat"})

    assert answers(publisher, page, clock) == [{"t": "ack", "id": 5}, {"t": "done", "id": 5}]
    assert source.commands == [("stop", "chat")]


def test_a_click_that_fails_is_answered_with_the_error_and_its_cure(tmp_path: Path) -> None:
    publisher, page, source, clock = watched(tmp_path)
    source.problem = LasError("It cannot.", remedy="%las doctor")
    publisher.tell({"t": "do", "id": 6, "verb": "stop", "name": "chat"})

    assert answers(publisher, page, clock)[-1]["error"] == ["LasError: It cannot.", "→ %las doctor"]


def test_nonsense_from_a_page_changes_nothing(tmp_path: Path) -> None:
    publisher, page, _, clock = watched(tmp_path)
    for nonsense in (None, "stop", {}, {"t": "log", "name": "nobody"}, {"t": 7}):
        publisher.tell(nonsense)
    rounds(publisher, clock, 1)

    assert page.sent == []


def test_each_state_has_a_light(tmp_path: Path) -> None:
    _, _, source, _ = watched(tmp_path)
    lights = {state: light(source.snapshot._replace(state=state)) for state in ProcessState}

    assert lights[ProcessState.FAILED] == "failed"
    assert lights[ProcessState.BACKOFF] == "starting"
    assert lights[ProcessState.STOPPED] == "stopped"


def test_the_types_of_the_page_are_those_of_the_kernel() -> None:
    assert generate_types.TARGET.read_text() == generate_types.generated()
