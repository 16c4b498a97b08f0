"""A server and the kernels around it: none of them owns it, all of them see it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Kernel, a_kernel
from processes import alive, eventually

import las_jupyter as las
from las_jupyter.core.states import ProcessState

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.llamacpp, pytest.mark.usefixtures("clean_end")]


WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def kernel(smollm2: str) -> Iterator[Kernel]:
    with a_kernel() as kernel:
        assert kernel.run("import las_jupyter as las\n%load_ext las_jupyter").ok
        yield kernel


def start(kernel: Kernel, options: str = "") -> None:
    shown = kernel.run(f"llm = las.start('llama.cpp', model='smollm2-135m'{options})")
    assert shown.ok, shown.error_lines


def answers(name: str = "llama.cpp") -> str:
    """What the real model answers through the real client."""
    llm = las.get(name)
    answer = llm.openai().chat.completions.create(
        model=llm.model, messages=[{"role": "user", "content": "Say hello."}], max_tokens=8, temperature=0
    )
    return answer.choices[0].message.content


def test_a_cell_starts_a_server_and_gets_an_answer_from_the_model(kernel):
    start(kernel)

    shown = kernel.run(
        "llm.openai().chat.completions.create(model=llm.model, max_tokens=8, "
        "messages=[{'role': 'user', 'content': 'Say hello.'}]).choices[0].message.content"
    )

    assert shown.ok, shown.error_lines
    assert len(shown.result) > 2


def test_the_magic_does_the_same_and_stops_without_a_trace(kernel):
    started = kernel.run("x = %las start llama.cpp --model smollm2-135m -- --ctx-size 1024")
    pid = int(kernel.run("x.pid").result)
    stopped = kernel.run("%las stop")

    assert started.ok, started.error_lines
    assert stopped.result.startswith("llama.cpp stopped: ")
    assert not alive(pid)


def test_a_restarted_kernel_sees_the_server_and_the_server_answers(kernel):
    start(kernel)
    pid = las.get("llama.cpp").pid

    kernel.restart()
    kernel.run("%load_ext las_jupyter")
    shown = kernel.run("%las status")

    assert "llama.cpp" in shown.result
    assert "● healthy" in shown.result
    assert las.get("llama.cpp").pid == pid
    assert answers()


def test_a_killed_kernel_hurts_nothing(kernel):
    start(kernel)
    llm = las.get("llama.cpp")
    pid = llm.pid

    kernel.kill()
    eventually(lambda: not alive(kernel.pid), "the kernel is gone")

    assert answers()
    assert (llm.pid, llm.state) == (pid, ProcessState.RUNNING)


def test_an_interrupt_hurts_no_running_server(kernel):
    start(kernel)
    message = kernel.begin("print('busy', flush=True)\nimport time\ntime.sleep(60)")
    kernel.wait_for_text(message, "busy")
    kernel.interrupt()
    shown = kernel.finish(message)

    assert shown.error == "KeyboardInterrupt"
    assert answers()
    assert [each.event for each in las.events("llama.cpp")].count("Launched") == 1


def test_an_interrupted_wait_keeps_the_server_and_fails_the_cell(kernel):
    message = kernel.begin(
        "import signal, os, threading\n"
        "from las_jupyter.runtime import manager\n"
        "real = manager.Manager.wait_ready\n"
        "def interrupted(self, name, **words):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(self, name, **words)\n"
        "manager.Manager.wait_ready = interrupted\n"
        "llm = las.start('llama.cpp', model='smollm2-135m')"
    )
    shown = kernel.finish(message)

    assert shown.error == "WaitInterrupted"
    assert shown.error_lines.splitlines()[0] == "Stopped waiting for llama.cpp; it goes on in the background."
    assert len(shown.error_lines.splitlines()) == 2
    assert las.get("llama.cpp").wait_ready(timeout=60).state is ProcessState.RUNNING


def test_two_kernels_see_one_instance(kernel):
    start(kernel)
    with a_kernel() as other:
        other.run("import las_jupyter as las")
        again = other.run("llm = las.start('llama.cpp', model='smollm2-135m'); llm.pid")

    assert "Reusing llama.cpp on port" in again.text
    assert again.result == kernel.run("llm.pid").result
    assert kernel.run("len(las.status())").result == "1"


def test_what_one_kernel_stops_is_stopped_for_the_other(kernel):
    start(kernel)
    with a_kernel() as other:
        other.run("import las_jupyter as las\nlas.stop('llama.cpp')")

    assert "stopped" in kernel.run("str(llm.state)").result
    assert kernel.run("llm.exit.requested").result == "True"


def test_a_server_with_its_kernels_lifetime_ends_with_a_killed_kernel(kernel):
    start(kernel, ", lifetime='kernel'")
    llm = las.get("llama.cpp")
    pid = llm.pid

    kernel.kill()
    eventually(lambda: not alive(pid), "the server ended with its kernel")
    eventually(lambda: not llm.state.alive, "its state says so")

    assert any("kernel" in each.reason or "owner" in each.reason for each in las.events("llama.cpp"))


def test_an_error_fails_the_cell_with_its_lines_only(kernel):
    shown = kernel.run("%las start llama.cpp --modle x")

    assert shown.error == "UnknownOption"
    assert shown.error_lines.splitlines()[0] == "UnknownOption: start has no option --modle."
    assert shown.error_lines.splitlines()[-1] == "→ did you mean --model?"
    assert "Traceback" not in shown.error_lines
    assert "parsing.py" in kernel.run("frames = %las traceback\nprint(frames)").text


def test_an_awaited_start_leaves_the_loop_free(kernel):
    shown = kernel.run(
        "import asyncio\n"
        "ticks = 0\n"
        "async def tick():\n"
        "    global ticks\n"
        "    while True:\n"
        "        ticks += 1\n"
        "        await asyncio.sleep(0.01)\n"
        "ticking = asyncio.ensure_future(tick())\n"
        "async with await las.aio.start('llama.cpp', model='smollm2-135m') as llm:\n"
        "    answer = await llm.openai().chat.completions.create(model=llm.model, max_tokens=4,"
        " messages=[{'role': 'user', 'content': 'Hi'}])\n"
        "ticking.cancel()\n"
        "print(bool(answer.choices), ticks > 5, llm.state)"
    )

    assert shown.ok, shown.error_lines
    assert shown.text == "True True stopped\n"


def test_an_instance_shows_a_card_without_script(kernel):
    start(kernel)

    shown = kernel.run("llm")

    cards = [bundle for bundle in shown.bundles if "las-card" in bundle.get("text/html", "")]
    assert len(cards) == 1
    assert "<script" not in cards[0]["text/html"]
    assert cards[0]["text/plain"].startswith("<llama.cpp: llama.cpp, native, running, healthy, http://127.0.0.1:")


@pytest.mark.usefixtures("built_panel")
def test_an_instance_shows_its_panel_below_its_card(kernel):
    start(kernel)

    shown = kernel.run("llm")

    kinds = ["panel" if WIDGET in bundle else "card" for bundle in shown.bundles if "text/html" in bundle]
    assert kinds == ["card", "panel"]


@pytest.mark.usefixtures("built_panel")
def test_the_panel_of_all_is_asked_for_by_a_word(kernel):
    shown = kernel.run("%las panel")

    assert shown.ok, shown.error_lines
    assert any(WIDGET in bundle for bundle in shown.bundles)


@pytest.mark.usefixtures("built_panel")
def test_the_panel_of_an_unknown_name_is_an_error_of_ours(kernel):
    assert kernel.run("las.panel('nobody')").error == "NoSuchInstance"


def _readable(file: Path) -> bool:
    """By anybody but its owner."""
    return bool(file.stat().st_mode & 0o077)


def test_tab_completes_a_line_of_ours(kernel):
    def completed(line: str) -> list[str]:
        reply = kernel.client.complete(line, reply=True, timeout=60)
        return reply["content"]["matches"]

    assert completed("%las start lla") == ["llama.cpp"]
    assert completed("x = %las start llama.cpp --mod") == ["--model", "--mode"]
    assert completed("%%las start --po") == ["--port"]


def test_the_key_is_needed_and_shown_nowhere(kernel):
    start(kernel)
    llm = las.get("llama.cpp")
    key = llm.api_key
    assert key is not None

    unsigned = urllib.request.Request(
        f"{llm.base_url}/chat/completions",
        data=json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(unsigned, timeout=30)
    everything = kernel.run("print(llm, las.status(), las.events(), las.plan('llama.cpp'), llm.logs(tail=10000))")

    assert refused.value.code == 401
    assert key.encode() not in Path(f"/proc/{llm.pid}/cmdline").read_bytes()
    folder = Path(llm.log_path).parents[2] / "instances" / "llama.cpp"
    assert not [file for file in folder.iterdir() if file.is_file() and key in file.read_text() and _readable(file)]
    assert key not in everything.text
