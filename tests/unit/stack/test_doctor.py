from __future__ import annotations

import pytest

from las_jupyter.backends.oci_backend import OciBackend
from las_jupyter.core.backend import Unavailable
from las_jupyter.core.errors import InvalidSettings
from las_jupyter.stack import doctor as room
from las_jupyter.stack.doctor import doctor


def findings() -> dict[str, room.Finding]:
    return {each.subject: each for each in doctor()}


def test_the_doctor_looks_at_everything_a_start_may_need():
    assert {"Python", "settings", "manifests", "state folder", "model folder", "memory", "native", "docker", "podman",
            "llama.cpp", "ipykernel"} <= set(findings())  # fmt: skip


def test_a_lack_comes_with_its_cure(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    lack = findings()["vllm"]

    assert lack.good is None
    assert "pip install vllm" in lack.cure


def test_a_wrong_setting_is_a_finding_and_no_failure(monkeypatch):
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__DEFAULT_MODE", "nativ")

    table = doctor()

    assert not {each.subject: each for each in table}["settings"].good
    assert "wrong" in table.notes[0]


@pytest.mark.parametrize("broken", [OSError("no such device"), RuntimeError("driver says 999"), InvalidSettings("no")])
def test_a_check_that_breaks_is_a_finding_of_its_own(monkeypatch, broken):
    def _gpus():
        raise broken
        yield

    monkeypatch.setattr(room, "CHECKS", (room._python, _gpus))

    assert findings()["Python"].good
    assert not findings()["gpus"].good
    assert str(broken) in findings()["gpus"].says


def test_a_folder_that_cannot_be_written_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(room.os, "access", lambda place, mode: False)
    monkeypatch.setenv("LAS_JUPYTER_MODELS__CACHE_DIR", str(tmp_path / "models"))

    finding = findings()["model folder"]

    assert finding.good is False
    assert "models.cache_dir" in finding.cure


@pytest.mark.parametrize(("name", "good"), [("native", False), ("docker", None), ("podman", None)])
def test_only_a_missing_native_backend_is_wrong_for_most_modules_need_no_container(monkeypatch, name, good):
    class Missing:
        def why_unavailable(self):
            return Unavailable("it does not answer", "start it")

    monkeypatch.setattr(room, "load_backend", lambda _: Missing())

    assert findings()[name] == room.Finding(name, good, "it does not answer", "start it")


def test_an_engine_that_cannot_be_closed_to_other_machines_is_told_with_its_cure(monkeypatch):
    class Open(OciBackend):
        def why_unavailable(self):
            return None

        def why_reachable(self):
            return Unavailable("it passes on what is sent", "take another")

    monkeypatch.setattr(room, "load_backend", lambda _: Open())

    told = "it can be used, and other machines may reach what it runs: it passes on what is sent"
    assert findings()["docker"] == room.Finding("docker", None, told, "take another")


def test_a_mode_that_is_switched_off_is_no_illness(monkeypatch):
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__DOCKER_ENABLED", "false")

    assert findings()["docker"].good is None
    assert "runtime.docker_enabled is off" in findings()["docker"].says
