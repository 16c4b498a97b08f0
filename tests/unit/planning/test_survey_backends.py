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
