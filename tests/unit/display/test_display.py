from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_house import NOW, small_stack

from las_jupyter.core.errors import PlanRefused
from las_jupyter.core.launch import Limits
from las_jupyter.core.snapshot import EventRecord, ExitRecord, Health, Leftover, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.display.data import as_data
from las_jupyter.display.lists import events_table, settings_table
from las_jupyter.display.progress import LineProgress, Quiet, TerminalProgress, bar
from las_jupyter.display.status import instance_card, instance_line, status_table
from las_jupyter.display.table import Table
from las_jupyter.display.text import LogText, Text
from las_jupyter.display.words import nearest, one_line, plain, why
from las_jupyter.stack.rooms import SettingRow

RUNNING = Snapshot(
    "chat", "llama.cpp", Mode.NATIVE, "native", ProcessState.RUNNING, "ready after 1.0 s",
    health=Health(HealthState.HEALTHY, "HTTP 200 in 3 ms", None, NOW - 2), pid=42, started_at=NOW - 65,
    url="http://127.0.0.1:8080", enforcement={"memory": "cgroup v2"}, limits=Limits(memory=2 * 2**30),
)  # fmt: skip


def test_a_status_table_reads_as_text():
    text = repr(status_table([RUNNING], now=NOW))

    assert text.splitlines()[0].split() == [
        "name", "module", "mode", "state", "health", "url", "uptime", "memory", "limits", "reason"
    ]  # fmt: skip
    assert "● healthy" in text
    assert "1 min 5 s" in text
    assert "memory 2.0 GiB enforced by cgroup v2" in text


def test_the_same_snapshots_give_the_same_text():
    assert repr(status_table([RUNNING], now=NOW)) == repr(status_table([RUNNING], now=NOW))
    assert "0x" not in repr(status_table([RUNNING], now=NOW))


def test_what_a_server_says_is_never_markup():
    nasty = RUNNING._replace(name="<b>x</b>", reason="<script>alert(1)</script>", health=Health(), warnings=("<i>",))

    for html in (status_table([nasty], now=NOW)._repr_html_(), instance_card(nasty, now=NOW)):
        assert "<script" not in html
        assert "<b>x" not in html
        assert "<i>" not in html


@given(st.text(), st.text())
def test_no_text_becomes_markup(one, two):
    html = Table(("a", "b"), [(one, two)], ["item"], notes=(one,))._repr_html_()

    assert html.count("<") == Table(("a", "b"), [("", "")], ["item"], notes=("",))._repr_html_().count("<")


@given(st.text())
def test_no_text_moves_the_cursor(text):
    assert not any(ord(char) < 32 and char not in "\n\t" for char in plain(text))
    assert "\n" not in one_line(text)


def test_a_left_over_process_and_a_lost_supervisor_are_told():
    odd = RUNNING._replace(supervised=False, leftovers=(Leftover(7, "worker", "it ignores SIGKILL"),))

    text = repr(status_table([odd], now=NOW))

    assert "its supervisor is gone" in text
    assert "process 7 (worker) is left over" in text


def test_while_loading_the_light_says_so_with_its_phase():
    loading = RUNNING._replace(state=ProcessState.STARTING, health=Health(phase="reading weights"))

    assert "◌ starting: reading weights" in repr(status_table([loading], now=NOW))


def test_what_ended_says_how():
    ended = RUNNING._replace(
        state=ProcessState.FAILED,
        reason="killed by SIGKILL",
        exit=ExitRecord(signal="SIGKILL", text="killed", at=NOW - 9),
    )

    assert why(ended) == "killed by SIGKILL"
    assert "ended 9.0 s ago" in repr(status_table([ended], now=NOW))
    assert "■ failed" in repr(status_table([ended], now=NOW))


def test_the_line_of_an_instance_always_has_the_same_fields():
    assert instance_line(RUNNING) == "<chat: llama.cpp, native, running, healthy, http://127.0.0.1:8080>"
    assert instance_line(RUNNING._replace(url=None)) == "<chat: llama.cpp, native, running, healthy, no url>"


def test_a_row_is_found_by_its_first_column():
    table = status_table([RUNNING], now=NOW)

    assert table["chat"] is RUNNING
    assert list(table) == [RUNNING]
    assert table.records[0]["mode"] == "native"


def test_a_plan_shows_what_was_passed_over_and_why():
    stack, _, _ = small_stack()

    text = repr(stack.plan("web", env={"HF_TOKEN": "hf_secret", "N": "2"}))

    assert "native: preferred by the manifest" in text
    assert "not container: no <engine> here" in text
    assert "HF_TOKEN=*** N=2" in text
    assert "Would start first: db" in text


def test_a_plan_as_html_says_the_same_and_escapes_it():
    stack, _, _ = small_stack()

    html = stack.plan("web", env={"HF_TOKEN": "hf_secret"})._repr_html_()

    assert "container: no &lt;engine&gt; here" in html
    assert "hf_secret" not in html


def test_json_of_a_plan_holds_no_secret():
    stack, _, _ = small_stack()

    text = json.dumps(as_data(stack.plan("web", env={"HF_TOKEN": "hf_secret"})))

    assert "hf_secret" not in text


def test_a_plan_says_in_one_line_how_the_other_mode_differs_where_it_is_possible():
    stack, _, _ = small_stack()
    plan = stack.plan("llama.cpp", model="a b")
    free = plan._replace(decisions=())

    assert "Side by side: %las plan llama.cpp --model 'a b' --compare" in repr(free).splitlines()[-1]
    assert "--compare" in free._repr_html_()
    assert "--compare" not in repr(plan)


def test_two_modes_side_by_side_are_an_answer_like_any_other():
    stack, _, _ = small_stack()
    shown = stack.plan("llama.cpp", compare=True)

    assert "≠ user" in repr(shown)
    assert "no: no &lt;engine&gt; here" in shown._repr_html_()
    assert as_data(shown)["rows"][1] == {
        "subject": "user", "native": "you", "container": "1000:1000", "differs": True
    }  # fmt: skip
    assert as_data(shown)["sides"][1]["refusal"] == "no <engine> here"


def test_every_answer_is_json():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert as_data(llm)["url"] == "http://127.0.0.1:8080"
    assert as_data(stack.status())[0]["state"] == "running"
    assert as_data(llm.logs())[0] == "one"
    assert as_data(stack.events())[1]["event"] == "ready"
    assert as_data(llm.stop())["exit"]["code"] == 0
    assert as_data(Text("hello")) == {"text": "hello"}
    assert as_data(PlanRefused("no", remedy="do"))["error"]["type"] == "PlanRefused"


def test_a_log_shows_as_text_and_keeps_its_lines():
    log = LogText(["a", "<b>"], path="/x.log")

    assert repr(log) == "a\n<b>"
    assert "&lt;b&gt;" in log._repr_html_()
    assert log[-1] == "<b>"


def test_quick_work_shows_no_progress():
    stream, now = io.StringIO(), [0.0]
    progress = TerminalProgress(stream, clock=lambda: now[0])

    for now[0] in (0.5, 1.0, 1.9):
        progress.update("loading")
    progress.close()

    assert stream.getvalue() == ""


def test_slow_work_shows_a_line_that_goes_away():
    stream, now = io.StringIO(), [0.0]
    progress = TerminalProgress(stream, clock=lambda: now[0])

    now[0] = 2.5
    progress.update("fetching", 0.5)
    progress.close()

    assert "fetching [############............]  50 %" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_long_line_loses_its_bar_before_its_numbers():
    stream, now = io.StringIO(), [0.0]
    progress = TerminalProgress(stream, clock=lambda: now[0])
    long = f"chat: pulling {'x' * 50}: 3 of 7 layers, 420.0 MiB of 1.9 GiB (8.4 s)"

    now[0] = 2.5
    progress.update(long, 0.22)

    assert stream.getvalue().endswith(f"{long}  22 %")


def test_a_script_gets_notes_and_no_moving_line():
    stream = io.StringIO()
    progress = LineProgress(stream)

    progress.update("loading")
    progress.note("Reusing chat.")

    assert stream.getvalue() == "Reusing chat.\n"


@pytest.mark.parametrize("kind", [LineProgress, TerminalProgress])
def test_a_note_in_a_terminal_advises_what_can_be_typed_there(kind):
    stream = io.StringIO()

    kind(stream).note("Warning: a server listens already: %las attach 'm{{y}}.yaml' uses it")

    assert stream.getvalue().endswith("Warning: a server listens already: las-jupyter attach 'm{y}.yaml' uses it\n")


def test_a_worker_thread_is_told_nothing_and_keeps_the_notes():
    quiet = Quiet()
    quiet.note("Reusing chat.")

    assert quiet.notes == ["Reusing chat."]


def test_a_bar_never_leaves_its_frame():
    assert bar(-1) == bar(0)
    assert bar(7) == bar(1)


def test_the_nearest_word_is_the_one_a_finger_slipped_from():
    assert nearest("modle", ["mode", "module", "model"]) == "model"
    assert nearest("lama.cpp", ["llama.cpp", "vllm"]) == "llama.cpp"
    assert nearest("xyzzy", ["llama.cpp", "vllm"]) is None
    assert nearest("", []) is None


def test_in_a_narrow_terminal_a_table_folds_its_wide_columns_and_loses_nothing():
    words = "the quick brown fox jumps over the lazy dog and then over /a/path/that/is/quite/long/indeed.gguf"
    table = Table(("name", "found"), [("one", words), ("two", "short")], ["1", "2"])

    lines = table.text(40).splitlines()

    assert max(map(len, lines)) <= 40
    assert "".join("".join(line[5:] for line in lines[1:-1]).split()) == words.replace(" ", "")
    assert lines[-1] == "two   short"


def test_a_table_is_a_row_a_line_where_no_width_is_given():
    assert len(Table(("a", "b"), [("x" * 500, "y")], ["item"]).text().splitlines()) == 2


def test_what_happened_and_what_is_set_read_as_words():
    events = [EventRecord(NOW, "BecameReady", "starting", "running", "ready after 1.0 s", 1)]
    settings = [SettingRow("logs.start_bytes", "268435456", "default"), SettingRow("limits.memory", "None", "default")]

    assert "became ready" in repr(events_table(events))
    assert "256.0 MiB" in repr(settings_table(settings))
    assert "not set" in repr(settings_table(settings))
