"""The panel in a real JupyterLab, over real servers."""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import ask, ready_engine
from lab import Notebook
from playwright.sync_api import Locator, expect
from registry import Registry

from las_jupyter.core.states import ProcessState
from las_jupyter.runtime.manager import Manager

pytest_plugins = ("servers",)
pytestmark = pytest.mark.browser
Open = Callable[..., Notebook]

START = "%load_ext las_jupyter\nserver = %las start http-echo --port 0"
PANEL = "import las_jupyter as las\nlas.panel()"


def card(notebook: Notebook, name: str = "http-echo") -> Locator:
    return notebook.page.get_by_test_id(f"card-{name}").last


def shows(where: Locator, text: str, seconds: float = 15) -> None:
    expect(where).to_contain_text(re.compile(re.escape(text)), timeout=seconds * 1000)


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def open_panel(notebook: Open, *more: str) -> Notebook:
    opened = notebook(START, PANEL, *more)
    opened.run(0)
    opened.run(1)
    shows(card(opened), "Healthy")
    return opened


def test_a_running_server_is_a_healthy_card_with_its_log(notebook: Open) -> None:
    opened = open_panel(notebook)

    shows(card(opened), "listening on http://127.0.0.1")
    shows(card(opened), "native")


def test_a_new_log_line_appears_while_a_cell_is_busy(notebook: Open, manager: Manager) -> None:
    opened = open_panel(notebook, "import time; time.sleep(8)")
    opened.run(2, wait=False)
    url = manager.snapshot("http-echo").url
    urllib.request.urlopen(f"{url}/said-while-busy", timeout=5).read()

    shows(card(opened), "said-while-busy", 6)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_the_stop_button_stops_the_server(notebook: Open, manager: Manager, busy: bool) -> None:
    opened = open_panel(notebook, "import time; time.sleep(12)")
    if busy:
        opened.run(2, wait=False)
    card(opened).get_by_test_id("stop").click()
    card(opened).get_by_test_id("confirm").click()

    until(lambda: manager.snapshot("http-echo").state is ProcessState.STOPPED, 9)
    shows(card(opened), "Stopped")


def test_a_kernel_restart_leaves_the_server_answering_and_a_new_panel_shows_it(
    notebook: Open, manager: Manager
) -> None:
    opened = open_panel(notebook)
    before = manager.snapshot("http-echo")
    opened.restart_kernel()
    opened.run(1)

    shows(card(opened), "Healthy")
    assert manager.snapshot("http-echo").pid == before.pid
    assert urllib.request.urlopen(f"{before.url}/health", timeout=5).status == 200


def test_an_old_panel_says_that_its_kernel_is_gone(notebook: Open) -> None:
    opened = open_panel(notebook)
    opened.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.shutdown()")

    shows(opened.page.locator(".las-banner"), "the servers run on", 20)


def test_a_reloaded_page_has_its_card_and_its_log_again(notebook: Open) -> None:
    opened = open_panel(notebook)
    opened.command("docmanager:save")
    opened.page.reload()
    opened.wait_for_lab()

    shows(card(opened), "Healthy", 30)
    shows(card(opened), "listening on http://127.0.0.1")


def test_a_key_on_a_focused_button_does_not_delete_the_cell(notebook: Open) -> None:
    opened = open_panel(notebook)
    cells = opened.cells()
    card(opened).get_by_test_id("stop").focus()
    opened.page.keyboard.press("d")
    opened.page.keyboard.press("d")
    opened.page.keyboard.press("b")

    assert opened.cells() == cells


def test_log_text_is_never_html(notebook: Open, manager: Manager) -> None:
    opened = open_panel(notebook)
    url = manager.snapshot("http-echo").url
    urllib.request.urlopen(f"{url}/<img/src=x/onerror=alert(1)>", timeout=5).read()

    shows(card(opened), "<img/src=x/onerror=alert(1)>")
    assert card(opened).locator(".las-log img").count() == 0


def test_scrolling_up_in_the_log_stays_there_until_following_is_wanted(notebook: Open, manager: Manager) -> None:
    opened = open_panel(notebook)
    url = manager.snapshot("http-echo").url
    for number in range(40):
        urllib.request.urlopen(f"{url}/line-{number}", timeout=5).read()
    shows(card(opened), "/line-39")
    log = card(opened).locator(".las-log-scroll")
    log.evaluate("log => log.scrollTop = 90")
    follow = card(opened).get_by_test_id("follow")
    expect(follow).to_have_attribute("aria-pressed", "false")
    urllib.request.urlopen(f"{url}/written-meanwhile", timeout=5).read()
    expect(card(opened).locator(".las-log-count")).to_contain_text("42 lines")
    assert log.evaluate("log => log.scrollTop") == 90

    follow.click()
    shows(card(opened), "written-meanwhile")


def test_a_restart_by_button_is_a_new_start_with_a_new_log(notebook: Open, manager: Manager) -> None:
    opened = open_panel(notebook)
    before = manager.snapshot("http-echo")
    urllib.request.urlopen(f"{before.url}/of-the-first-start", timeout=5).read()
    shows(card(opened), "of-the-first-start")
    card(opened).get_by_test_id("restart").click()
    card(opened).get_by_test_id("confirm").click()

    until(lambda: manager.snapshot("http-echo").generation == before.generation + 1)
    expect(card(opened)).not_to_contain_text("of-the-first-start", timeout=15_000)
    shows(card(opened), "Healthy")


def test_a_real_model_answers_and_its_card_shows_it_at_work(notebook: Open, manager: Manager, smollm2: str) -> None:
    ask = (
        "answer = chat.openai().chat.completions.create(model=chat.model, max_tokens=8,"
        " messages=[{'role': 'user', 'content': 'What colour is the sky?'}])\n"
        "print(answer.choices[0].message.content)"
    )
    opened = notebook(
        f"import las_jupyter as las\nchat = las.start('llama.cpp', model={smollm2!r})", "las.panel()", ask
    )
    opened.run(0)
    opened.run(1)
    shows(card(opened, "llama.cpp"), "Healthy", 30)
    said = opened.run(2)

    assert said.strip()
    assert "Error" not in said
    shows(card(opened, "llama.cpp"), "eval time")
    shows(card(opened, "llama.cpp"), "MiB")


@pytest.fixture
def registry(manager: Manager) -> Iterator[Registry]:
    """A slow registry of one image, of which Podman keeps nothing."""
    ready_engine("podman")
    served = Registry(layers=4, size=2**21)
    served.rate = 2**18
    yield served
    served.close()
    for snapshot in manager.snapshots():
        manager.stop(snapshot.name, grace=1.0)
    ask("podman", "rmi", "-f", served.image)


@pytest.mark.podman
def test_an_image_that_is_fetched_is_a_bar_and_a_line_until_its_container_runs(
    notebook: Open, registry: Registry, tmp_path: Path
) -> None:
    settings, manifest = tmp_path / "registries.conf", tmp_path / "manifest.yaml"
    settings.write_text(f'[[registry]]\nlocation = "{registry.image.partition("/")[0]}"\ninsecure = true\n')
    container = f'{{image: "{registry.image}", argv: [sleep, "600"]}}'
    manifest.write_text(f"name: puller\nruntime: {{modes: [container]}}\nlaunch: {{container: {container}}}\n")
    said = {"CONTAINERS_REGISTRIES_CONF": str(settings), "LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE": "podman"}
    opened = notebook(f"import os\nos.environ |= {said}", PANEL, f"%load_ext las_jupyter\n%las start {manifest}")
    opened.run(0)
    opened.run(1)
    opened.run(2, wait=False)
    shown = card(opened, "puller")
    bar = shown.locator("progress")

    shows(shown, "of 4 layers, ")
    expect(bar).to_be_visible(timeout=15_000)
    first = bar.evaluate("bar => bar.value")
    assert 0 < until(lambda: bar.evaluate("bar => bar.value") > first and bar.evaluate("bar => bar.value")) < 1
    if shots := os.environ.get("LAS_TEST_SHOTS"):
        opened.page.screenshot(path=Path(shots) / "fetching.png")
    registry.rate = None
    shows(shown, "Healthy", 40)
    expect(bar).to_be_hidden()
    shown.locator("summary").first.click()
    shows(shown, registry.exact)


def test_a_typo_fails_the_cell_with_three_lines_and_no_frames(notebook: Open) -> None:
    opened = notebook("%load_ext las_jupyter", "%las start http-eco")
    opened.run(0)
    said = opened.run(1)

    assert "There is no module 'http-eco'" in said
    assert "did you mean http-echo?" in said
    assert "Traceback" not in said


def test_the_magic_completes_in_jupyterlab(notebook: Open) -> None:
    opened = notebook("%load_ext las_jupyter", "%las st")
    opened.run(0)
    opened.page.locator(".jp-Cell").nth(1).locator(".cm-content").click()
    opened.page.keyboard.press("End")
    opened.page.keyboard.press("Tab")

    popup = opened.page.locator(".jp-Completer")
    shows(popup, "start", 20)
    shows(popup, "status")
