"""What the page is sent, how seldom, and that it can always catch up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from las_jupyter.core.errors import LasError
from las_jupyter.core.launch import Decision, Failure, LaunchSpec
from las_jupyter.core.snapshot import Health, Snapshot, Usage
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.logs.reader import LogReader
from las_jupyter.widgets import generate_types
from las_jupyter.widgets.conversation import UNWATCHED_AFTER
from las_jupyter.widgets.publisher import Publisher, publisher_of
from las_jupyter.widgets.tail import MOST_BEHIND, ROUND_BYTES


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Page:
    """Stands for the widget: remembers what was shown and said."""

    def __init__(self) -> None:
        self.cards: list[dict[str, Any]] = []
        self.notice = ""
        self.only = ""
        self.said: list[dict[str, Any]] = []
        self.shown: list[str] = []
        self.messages = 0
        self.log_sizes: list[int] = []

    def show(self, cards: list[dict[str, Any]], beat: float, notice: str) -> None:
        self.messages += 1
        self.shown.append("cards" if (cards, notice) != (self.cards, self.notice) else "beat")
        self.cards, self.notice = cards, notice

    def show_again(self) -> None:
        self.messages += 1
        self.shown.append("again")

    def send(self, content: Any, buffers: Any = None) -> None:
        self.messages += 1
        self.said.extend(content["items"])
        self.log_sizes.append(sum(len(each["text"]) for each in content["items"] if each["t"] == "log"))

    def logs(self) -> list[dict[str, Any]]:
        return [each for each in self.said if each["t"] == "log"]


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
        self.failures: tuple[Failure, ...] = ()

    def snapshots(self) -> tuple[Snapshot, ...]:
        return (self.snapshot,)

    def spec(self, name: str) -> LaunchSpec:
        return LaunchSpec(
            name,
            "llama.cpp",
            Mode.NATIVE,
            "native",
            ("x",),
            decisions=(Decision("mode", "native", "why"),),
            failures=self.failures,
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


class Panel:
    """A publisher, its one page, and the time between."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "1.log"
        self.log.write_bytes(b"one\ntwo\n")
        self.page, self.source, self.clock = Page(), Source(self.log), Clock()
        self.publisher = Publisher(self.source, self.clock)
        self.conversation = self.publisher.join(self.page)

    def hears(self, **message: Any) -> None:
        self.publisher.tell(self.conversation, message)

    def asks_for_the_log(self, generation: int | None = None, offset: int | None = None) -> None:
        self.hears(t="log", name="chat", generation=generation, offset=offset)

    def after(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.now += 0.1
            self.publisher.deliver()


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    return Panel(tmp_path)


def test_a_new_panel_has_its_cards_at_once(panel: Panel) -> None:
    assert panel.page.cards[0]["light"] == "healthy"
    assert panel.page.cards[0]["decisions"] == [{"subject": "mode", "choice": "native", "reason": "why"}]


def test_a_panel_of_one_shows_no_other(panel: Panel) -> None:
    other = Page()
    other.only = "somebody"
    panel.publisher.join(other)

    assert other.cards == []


def test_what_did_not_change_is_not_sent_again(panel: Panel) -> None:
    panel.source.usage = lambda name: None  # type: ignore[method-assign]
    panel.after(4)
    panel.page.shown.clear()
    panel.after(4)

    assert set(panel.page.shown) == {"beat"}


def test_the_last_state_is_sent_once_more_in_case_it_was_lost(panel: Panel) -> None:
    panel.source.usage = lambda name: None  # type: ignore[method-assign]
    panel.after(1)
    panel.source.snapshot = panel.source.snapshot._replace(reason="changed")
    panel.page.shown.clear()
    panel.after(4)

    assert panel.page.shown.count("cards") == 1
    assert panel.page.shown.count("again") == 1


def test_a_panel_that_nobody_looks_at_costs_nothing(panel: Panel) -> None:
    panel.after(UNWATCHED_AFTER + 1)
    panel.page.messages = 0
    panel.after(5)
    assert (panel.page.messages, panel.publisher.watched) == (0, False)

    panel.hears(t="here")
    assert panel.publisher.watched
    panel.after(1)
    assert panel.page.messages > 0


def test_one_thread_serves_all_panels_of_a_kernel_and_asks_once_for_them(panel: Panel) -> None:
    asked: list[str] = []
    panel.source.usage = asked.append  # type: ignore[method-assign,assignment]
    for _ in range(5):
        panel.publisher.join(Page())
    panel.after(4)

    assert len(asked) <= 2
    assert publisher_of(panel.source) is publisher_of(panel.source)


def test_a_panel_that_breaks_does_not_silence_the_others(panel: Panel) -> None:
    broken = Page()
    panel.publisher.join(broken)
    broken.show = lambda *state: 1 / 0  # type: ignore[assignment,return-value]
    panel.page.messages = 0
    panel.after(3)

    assert panel.page.messages > 0


def test_a_source_that_cannot_look_is_said_and_taken_back(panel: Panel) -> None:
    good = panel.source.snapshots
    panel.source.snapshots = lambda: 1 / 0  # type: ignore[assignment,return-value]
    panel.after(1)
    assert panel.page.notice == ""
    panel.after(4)
    assert "could not look" in panel.page.notice
    panel.source.snapshots = good  # type: ignore[method-assign]
    panel.after(1)

    assert panel.page.notice == ""


def test_no_more_than_ten_messages_a_second_whatever_happens(panel: Panel) -> None:
    panel.asks_for_the_log()
    panel.page.messages = 0
    for number in range(50):
        panel.source.snapshot = panel.source.snapshot._replace(reason=f"change {number}")
        with panel.log.open("ab") as file:
            file.write(b"x\n" * 100)
        panel.hears(t="do", id=number, verb="stop", name="chat")
        panel.after(0.1)

    assert panel.page.messages <= 50


def test_a_log_begins_with_its_tail_and_goes_on_without_a_gap(panel: Panel) -> None:
    panel.asks_for_the_log()
    panel.after(1)
    with panel.log.open("ab") as file:
        file.write(b"three\n")
    panel.after(1)

    first, second = panel.page.logs()
    assert (first["text"], first["reset"]) == ("one\ntwo\n", True)
    assert (second["text"], second["offset"]) == ("three\n", first["next"])


def test_half_a_character_is_not_shown(panel: Panel) -> None:
    panel.asks_for_the_log()
    panel.after(1)
    whole = "naïve\n".encode()
    with panel.log.open("ab", buffering=0) as file:
        file.write(whole[:3])
        panel.after(0.2)
        file.write(whole[3:])
    panel.after(1)

    assert "".join(each["text"] for each in panel.page.logs()) == "one\ntwo\nnaïve\n"


def test_a_prompt_without_a_line_end_is_shown_too(panel: Panel) -> None:
    panel.asks_for_the_log()
    panel.after(1)
    with panel.log.open("ab") as file:
        file.write(b"loading ...")
    panel.after(1)

    assert panel.page.logs()[-1]["text"] == "loading ..."


def test_a_flood_comes_in_bounded_pieces(panel: Panel) -> None:
    panel.asks_for_the_log(generation=1, offset=8)
    with panel.log.open("ab") as file:
        file.write((b"y" * 99 + b"\n") * 2000)
    panel.after(1)

    assert panel.page.logs()
    assert all(len(each["text"]) <= ROUND_BYTES for each in panel.page.logs())


def test_many_loud_servers_share_one_message(panel: Panel) -> None:
    twin = panel.source.snapshot._replace(name="twin")
    panel.source.snapshots = lambda: (panel.source.snapshot, twin)  # type: ignore[method-assign]
    panel.after(1)
    for name in ("chat", "twin"):
        panel.hears(t="log", name=name, generation=1, offset=8)
    with panel.log.open("ab") as file:
        file.write((b"y" * 99 + b"\n") * 2000)
    panel.after(2)

    assert {each["name"] for each in panel.page.logs()} == {"chat", "twin"}
    assert max(panel.page.log_sizes) <= ROUND_BYTES


def test_a_page_far_behind_goes_on_at_the_end_and_is_told_what_it_missed(panel: Panel) -> None:
    panel.asks_for_the_log(generation=1, offset=8)
    with panel.log.open("ab") as file:
        file.write((b"y" * 99 + b"\n") * (MOST_BEHIND // 50))
        file.write(b"the end\n")
    panel.after(1)

    piece = panel.page.logs()[0]
    assert piece["reset"]
    assert piece["trimmed"] > MOST_BEHIND
    assert piece["text"].split("\n")[0] == "y" * 99
    assert piece["text"].endswith("the end\n")


def test_a_new_start_begins_a_new_log(panel: Panel, tmp_path: Path) -> None:
    panel.asks_for_the_log()
    panel.after(1)
    panel.source.log = tmp_path / "2.log"
    panel.source.log.write_bytes(b"again\n")
    panel.source.snapshot = panel.source.snapshot._replace(generation=2)
    panel.after(1)

    last = panel.page.logs()[-1]
    assert (last["generation"], last["reset"], last["text"]) == (2, True, "again\n")


def answers(panel: Panel) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not any(each["t"] == "done" for each in panel.page.said):
        panel.after(0.1)
        time.sleep(0.005)
    return [each for each in panel.page.said if each["t"] in ("ack", "done")]


def test_a_click_is_acknowledged_and_then_answered(panel: Panel) -> None:
    panel.hears(t="do", id="a-5", verb="stop", name="chat")

    assert answers(panel) == [{"t": "ack", "id": "a-5"}, {"t": "done", "id": "a-5", "error": None}]
    assert panel.source.commands == [("stop", "chat")]


def test_a_click_that_fails_is_answered_with_the_error_and_its_cure(panel: Panel) -> None:
    panel.source.problem = LasError("It cannot.", remedy="%las doctor")
    panel.hears(t="do", id="a-6", verb="stop", name="chat")

    assert answers(panel)[-1]["error"] == ["LasError: It cannot.", "→ %las doctor"]


def test_a_failed_start_shows_its_cause_and_cure(panel: Panel) -> None:
    panel.log.write_bytes(b"CUDA error: out of memory\n")
    panel.source.failures = (Failure("out of memory", "the GPU is full", "use a smaller model"),)
    panel.source.snapshot = panel.source.snapshot._replace(state=ProcessState.FAILED, generation=2)
    panel.after(1)

    assert (panel.page.cards[0]["cause"], panel.page.cards[0]["remedy"]) == ("the GPU is full", "use a smaller model")


def test_nonsense_from_a_page_changes_nothing(panel: Panel) -> None:
    for nonsense in (
        None,
        "stop",
        {},
        {"t": "log", "name": "nobody"},
        {"t": 7},
        {"t": "log", "name": [1], "offset": "x"},
    ):
        panel.publisher.tell(panel.conversation, nonsense)
    panel.after(1)

    assert panel.page.said == []
    assert panel.page.notice == ""


def test_the_types_of_the_page_are_those_of_the_kernel() -> None:
    assert generate_types.TARGET.read_text() == generate_types.generated()
