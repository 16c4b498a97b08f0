"""The survey asks no container engine once it has one that can be used."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from las_jupyter.core.backend import Unavailable
from las_jupyter.stack import survey

SETTINGS: Any = SimpleNamespace(runtime=SimpleNamespace(container_engine="auto"))
DOWN = Unavailable("the daemon does not answer", "systemctl start docker")


class Engines:
    """Docker and Podman, of which ``lacking`` cannot be used; ``asked`` are those that were."""

    def __init__(self) -> None:
        self.lacking: dict[str, Unavailable] = {}
        self.asked: list[str] = []

    def load(self, name: str) -> Any:
        self.asked.append(name)
        return SimpleNamespace(why_unavailable=lambda: self.lacking.get(name))


@pytest.fixture
def engines(monkeypatch) -> Engines:
    found = Engines()
    monkeypatch.setattr("las_jupyter.backends.table.load_backend", found.load)
    monkeypatch.setattr(survey, "_ENGINES", {})
    return found


def test_podman_is_not_asked_when_docker_can_be_used(engines):
    found = survey._container_backends(SETTINGS)

    assert engines.asked == ["docker"]
    assert [each.unavailable for each in found] == [None]


def test_podman_is_asked_when_docker_cannot_be_used(engines):
    engines.lacking["docker"] = DOWN

    found = survey._container_backends(SETTINGS)

    assert engines.asked == ["docker", "podman"]
    assert [each.unavailable for each in found] == [DOWN.reason, None]


def test_an_engine_is_not_asked_again_in_the_same_moment(engines):
    engines.lacking["docker"] = DOWN

    assert survey._container_backends(SETTINGS) == survey._container_backends(SETTINGS)
    assert engines.asked == ["docker", "podman"]


def test_a_cure_is_seen_when_the_moment_is_over(engines, monkeypatch):
    engines.lacking["docker"] = DOWN
    survey._container_backends(SETTINGS)
    del engines.lacking["docker"]

    later = survey.time.monotonic() + 2.0
    monkeypatch.setattr(survey.time, "monotonic", lambda: later)

    assert [each.name for each in survey._container_backends(SETTINGS)] == ["docker"]


def test_another_address_of_an_engine_is_asked_at_once(engines, monkeypatch):
    survey._container_backends(SETTINGS)
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:1")
    survey._container_backends(SETTINGS)

    assert engines.asked == ["docker", "docker"]
