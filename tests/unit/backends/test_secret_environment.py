"""A variable that is a secret reaches a server by its environment, native or in a container, and by no command line."""

from __future__ import annotations

from las_jupyter.backends import podman
from las_jupyter.backends.environment import environment
from las_jupyter.backends.oci import create_options
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.launch import ContainerSpec, LaunchSpec, SecretUse
from las_jupyter.core.states import Mode

SPEC = LaunchSpec(
    "chat", "m", Mode.CONTAINER, "podman", ("serve",), env={"OPEN": "1"}, container=ContainerSpec("example.org/m:1"),
    secrets=(SecretUse("env:HF_TOKEN", env="HF_TOKEN"),),
)  # fmt: skip
SECRETS = {"env:HF_TOKEN": "SuperPw99"}


def test_a_native_server_has_it_in_its_environment() -> None:
    assert environment({"HF_TOKEN": "old"}, SPEC, SECRETS)["HF_TOKEN"] == "SuperPw99"


def test_a_container_has_it_in_its_environment_and_podman_is_told_by_a_file() -> None:
    files = StartFiles("/nowhere/instance", "/nowhere/log", 1, 1)
    options = create_options(SPEC, SECRETS, files, "start")

    assert options.env["HF_TOKEN"] == "SuperPw99"
    assert "SuperPw99" not in str((options.argv, options.labels, options.mounts))
    assert not [word for word in podman.arguments(options, "/nowhere/env") if "SuperPw99" in word or "HF_TOKEN" in word]
