"""A terminal says our commands by its own name, and leaves everybody else's words as they are."""

from __future__ import annotations

import json

import pytest
from small_house import small_stack

from las_jupyter.cli import main as command_line
from las_jupyter.core.advice import word
from las_jupyter.core.errors import LasError
from las_jupyter.core.snapshot import Health, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.display.status import status_table
from las_jupyter.stack import verbs

STRANGE = "%las stop \u202ex"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> LasError:
    error = LasError(f"a {STRANGE}", cause=f"b {STRANGE}", remedy=f"%las trust {word('%las x')}", details=(STRANGE,))
    stack, _, _ = small_stack()

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(stack, "status", fail)
    monkeypatch.setattr(verbs, "default_stack", lambda: stack)
    return error


def test_only_the_next_step_of_an_error_is_said_in_a_terminals_words(
    failing: LasError, capsys: pytest.CaptureFixture[str]
) -> None:
    command_line.main(["status"])

    told = capsys.readouterr().err.splitlines()
    assert told == [
        "LasError: a %las stop x",
        "  because b %las stop x",
        "  %las stop x",
        "→ las-jupyter trust '%las x'",
    ]


def test_json_says_it_too_and_shows_nothing_unseen(failing: LasError, capsys: pytest.CaptureFixture[str]) -> None:
    command_line.main(["status", "--json"])

    told = json.loads(capsys.readouterr().out)["error"]
    assert told["remedy"] == "las-jupyter trust '%las x'"
    assert told["cause"] == "b %las stop x"


def test_a_servers_words_in_a_table_are_not_ours_to_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    health = Health(HealthState.UNKNOWN, "")
    theirs = Snapshot("chat", "m", Mode.NATIVE, "native", ProcessState.FAILED, "say %las stop chat", health)
    stack, _, _ = small_stack()
    monkeypatch.setattr(stack, "status", lambda name=None: status_table((theirs,), now=0, notes=("see %las doctor",)))
    monkeypatch.setattr(verbs, "default_stack", lambda: stack)

    command_line.main(["status"])

    told = capsys.readouterr().out
    assert "say %las stop chat" in told
    assert "see las-jupyter doctor" in told
