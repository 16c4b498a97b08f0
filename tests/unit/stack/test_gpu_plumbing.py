"""The doctor says what stands between a GPU and the modules, with a cure for each lack."""

from __future__ import annotations

from pathlib import Path

import pytest

from las_jupyter.stack.finding import Finding
from las_jupyter.stack.gpu_plumbing import gpu_plumbing

NVIDIA = {"sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n", "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n"}
AMD = {"sys/bus/pci/devices/0000:02:00.0/class": "0x030000\n", "sys/bus/pci/devices/0000:02:00.0/vendor": "0x1002\n"}
LOADED = {**NVIDIA, "proc/driver/nvidia/version": "NVRM version: 570.1"}
CDI = {"etc/cdi/nvidia.yaml": "kind: nvidia.com/gpu\n"}


def looked(root: Path, files: dict[str, str], *programs: str, problem: str | None = None) -> dict[str, Finding]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return {each.subject: each for each in gpu_plumbing(problem, root, lambda name: name if name in programs else None)}


def test_where_no_card_is_nothing_is_said(tmp_path):
    network = {name: text.replace("0x03", "0x02") for name, text in NVIDIA.items()}

    assert looked(tmp_path, network, "docker", problem="NVML Shared Library Not Found") == {}


@pytest.mark.parametrize(
    ("files", "problem", "says", "cure"),
    [
        (NVIDIA, "NVML Shared Library Not Found", "driver is not loaded", "modprobe nvidia"),
        (LOADED, "NVML Shared Library Not Found", "library libnvidia-ml is not here", "--gpus all"),
        (LOADED, "Driver/library version mismatch", "another version than the driver", "restart the machine"),
        (LOADED, "nvidia-ml-py cannot be imported: no module", "cannot be imported", "pip install nvidia-ml-py"),
        (LOADED, "GPU is lost", "GPU is lost", "nvidia-smi"),
    ],
)
def test_a_card_that_does_not_answer_comes_with_the_reason_and_the_cure(tmp_path, files, problem, says, cure):
    found = looked(tmp_path, files, problem=problem)["NVIDIA driver"]

    assert found.good is False
    assert says in found.says and cure in found.cure


def test_a_driver_that_answers_is_good(tmp_path):
    assert looked(tmp_path, LOADED) == {"NVIDIA driver": Finding("NVIDIA driver", True, "its library answers")}


def test_without_the_toolkit_no_engine_can_pass_a_gpu_on(tmp_path):
    found = looked(tmp_path, LOADED, "docker", "podman")

    for engine in ("GPUs in Docker", "GPUs in Podman"):
        assert found[engine].good is False and "nvidia-container-toolkit" in found[engine].cure


def test_with_the_toolkit_the_one_command_that_is_left_is_named(tmp_path):
    found = looked(tmp_path, LOADED, "docker", "podman", "nvidia-ctk")

    assert found["GPUs in Docker"].cure.startswith("sudo nvidia-ctk runtime configure --runtime=docker")
    assert found["GPUs in Podman"].cure.startswith("sudo nvidia-ctk cdi generate")


def test_engines_that_are_set_up_are_good(tmp_path):
    files = {**LOADED, **CDI, "etc/docker/daemon.json": '{"runtimes": {"nvidia": {}}}'}

    assert all(each.good for each in looked(tmp_path, files, "docker", "podman", "nvidia-ctk").values())


def test_an_amd_card_needs_the_compute_driver(tmp_path):
    assert looked(tmp_path, AMD)["AMD driver"].good is None
    assert looked(tmp_path, {**AMD, "dev/kfd": ""})["AMD driver"].good
