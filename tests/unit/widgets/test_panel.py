"""The widget itself, over a comm that remembers what was published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.snapshot import Health, Snapshot, Usage
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.logs.reader import LogReader
from las_jupyter.widgets.panel import Panel


class RememberingComm(BaseComm):
    """Publishes into a list, and has the private routing of ipykernel 7.4."""

    published: list[dict[str, Any]]

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        self.__dict__.setdefault("published", []).append({"type": msg_type, "data": data or {}})

    def _reply_subshell_for(self, data: Any, default: Any) -> Any:
        return "the busy main shell"


class Source:
    def __init__(self, reason: str = "ready") -> None:
        self.snapshot = Snapshot(
            "chat", "llama.cpp", Mode.NATIVE, "native", ProcessState.FAILED, reason, Health(HealthState.UNKNOWN, reason)
        )

    def snapshots(self) -> tuple[Snapshot, ...]:
        return (self.snapshot,)

    def spec(self, name: str) -> LaunchSpec:
        return LaunchSpec(name, "llama.cpp", Mode.NATIVE, "native", ("x",))

    def usage(self, name: str) -> Usage | None:
        return None

    def log_reader(self, name: str) -> LogReader:
        return LogReader("/nowhere")

    def command(self, verb: str, name: str) -> None:
        pass


@pytest.fixture(autouse=True)
def comms(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RememberingComm]]:
    made: list[RememberingComm] = []

    def create(*words: Any, **keys: Any) -> RememberingComm:
        made.append(RememberingComm(*words, **keys))
        return made[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    yield made


def test_the_state_is_brought_in_step_by_one_message(comms: list[RememberingComm]) -> None:
    panel = Panel(Source())
    panel._publisher.leave(panel._conversation)  # type: ignore[arg-type]
    sent = comms[-1].published
    sent.clear()
    panel.show([{"name": "chat"}], 1.0, "a notice")

    assert len(sent) == 1
    assert sent[0]["data"]["state"] == {"cards": [{"name": "chat"}], "beat": 1.0, "notice": "a notice"}


def test_clicks_do_not_wait_for_the_cell_that_runs(comms: list[RememberingComm]) -> None:
    Panel(Source())

    assert comms[-1]._reply_subshell_for({}, "a shell of its own") == "a shell of its own"


def test_where_there_is_no_widget_a_table_is_shown_and_nothing_in_it_is_html() -> None:
    data, _ = Panel(Source(reason="<script>alert(1)</script>"))._repr_mimebundle_()

    assert "chat" in data["text/plain"]
    assert "<script>" not in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_panel_is_the_same_text_every_time() -> None:
    assert repr(Panel(Source())) == "<panel of all instances>"
    assert repr(Panel(Source(), name="chat")) == "<panel of chat>"


def test_an_unknown_word_is_an_error_and_not_ignored() -> None:
    with pytest.raises(TypeError, match="colour"):
        Panel(Source(), colour="red")  # type: ignore[call-arg]


def test_a_closed_panel_is_no_longer_served() -> None:
    panel = Panel(Source())
    panel.close()

    assert not panel._publisher.watched


def test_the_script_is_small_enough_to_travel_with_each_panel() -> None:
    assert len(Panel(Source())._esm) < 40_000
