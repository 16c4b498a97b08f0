"""The module for learning: it runs wherever we do, and shows loading, failing and stopping."""

from __future__ import annotations

import json
import urllib.request

import pytest

import las_jupyter as las
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.states import HealthState, ProcessState

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]


def test_it_answers_what_it_was_asked():
    server = las.start("http-echo", port=0)

    with urllib.request.urlopen(f"{server.url}/hello", data=b"body") as answer:
        said = json.load(answer)

    assert said == {"method": "POST", "path": "/hello", "body": "body"}


def test_while_it_loads_it_is_not_unhealthy():
    server = las.start("http-echo", port=0, args=("--load-seconds", "1.5"), wait=False)

    assert server.health is HealthState.UNKNOWN
    assert server.wait_ready(timeout=30).health is HealthState.HEALTHY


def test_an_option_it_does_not_know_is_explained_from_its_manifest():
    with pytest.raises(LaunchFailed) as caught:
        las.start("http-echo", port=0, args=("--colour", "red"))

    assert caught.value.cause == "http-echo does not know --colour red"
    assert caught.value.remedy == "remove it behind the two dashes"
    assert las.get("http-echo").state is ProcessState.FAILED


def test_a_server_that_ends_by_itself_has_its_exit_status():
    server = las.start("http-echo", port=0, args=("--exit-after", "1.0", "--exit-code", "3"))

    from processes import eventually

    eventually(lambda: server.state is ProcessState.FAILED, "it ended")

    assert (server.exit.code, server.exit.requested) == (3, False)
