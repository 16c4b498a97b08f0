"""Docker and Podman keep the backend promise, with every restriction on."""

from __future__ import annotations

import pytest
from containers import BASE, ready_engine

from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import Backend
from las_jupyter.core.launch import ContainerSpec, LaunchSpec
from las_jupyter.core.states import Mode
from las_jupyter.testing import BackendContract, Behaviour
from las_jupyter.testing.backend_contract import SCRIPTS


class ContainerContract(BackendContract):
    engine = ""
    not_ours = None  # the engine listens for it, as this user or as root

    @pytest.fixture
    def backend(self) -> Backend:
        ready_engine(self.engine)
        return load_backend(self.engine)

    def spec(self, behaviour: Behaviour) -> LaunchSpec:
        script = SCRIPTS.get(behaviour)
        argv = ("no-such-program-here",) if script is None else ("sh", "-c", script)
        image = ContainerSpec(BASE, user="65534:65534", pull="never")
        return LaunchSpec("contract", "script", Mode.CONTAINER, self.engine, argv, container=image)


@pytest.mark.docker
class TestDocker(ContainerContract):
    engine = "docker"


@pytest.mark.podman
class TestPodman(ContainerContract):
    engine = "podman"
