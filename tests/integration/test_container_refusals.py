"""What a container engine refuses is one sentence with its cure, and nothing is left behind, on both engines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from containers import BASE, IMAGES, ask, ready_engine

from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import ContainerSpec, Gpus, LaunchSpec, Mount
from las_jupyter.core.states import Mode

FOREIGN = "localhost/las-foreign:1"
NAME = f"refused-{os.getpid()}"
IMAGE = ContainerSpec(BASE, user="65534:65534", pull="never")
NVIDIA = {"docker": "NVIDIA container toolkit is not installed", "podman": "no CDI description of the GPUs"}


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "podman")])
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    ready_engine(name)
    return name


def refusal(engine: str, folder: Path, **change: Any) -> LaunchFailed:
    """What a start with ``change`` is refused with; there must be nothing of it afterwards."""
    spec = LaunchSpec(NAME, "script", Mode.CONTAINER, engine, ("sh", "-c", "exec sleep 60"), container=IMAGE)
    files = StartFiles(str(folder), str(folder / "1.log"), -1, 1, str(folder))
    with pytest.raises(LaunchFailed) as caught:
        load_backend(engine).launch(spec._replace(**change), secrets={}, files=files)
    assert ask(engine, "ps", "-aq", "--filter", f"label=las.instance={NAME}") == ""
    assert caught.value.remedy, caught.value.lines()
    assert len(str(caught.value.cause)) < 300
    return caught.value


def test_an_image_for_another_processor_is_named_with_the_one_to_fetch(engine: str, tmp_path: Path) -> None:
    subprocess.run([IMAGES / "foreign-image", FOREIGN, engine], check=True, capture_output=True)

    said = refusal(engine, tmp_path, container=IMAGE._replace(image=FOREIGN))

    assert f"the image {FOREIGN} is for a" in str(said.cause)
    assert str(said.remedy).startswith(f"{engine} pull --platform linux/")


def test_gpus_that_the_engine_cannot_give_are_refused_with_what_it_lacks(engine: str, tmp_path: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has NVIDIA GPUs")

    said = refusal(engine, tmp_path, gpus=Gpus(("0",), "nvidia"))

    assert NVIDIA[engine] in str(said.cause)
    assert "nvidia-ctk" in str(said.remedy)


def test_a_gpu_device_that_is_not_here_is_named(engine: str, tmp_path: Path) -> None:
    if Path("/dev/kfd").exists():
        pytest.skip("this machine has AMD GPUs")

    said = refusal(engine, tmp_path, gpus=Gpus(("0",), "amd"))

    assert "/dev/kfd does not exist here" in str(said.cause)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"container": IMAGE._replace(image="Not A Name", pull="missing")}, "Not A Name"),
        ({"container": IMAGE._replace(user="nosuchuser")}, "the image has no user nosuchuser"),
        ({"container": IMAGE._replace(workdir="relative")}, "working directory relative"),
        ({"argv": ("/no/such/program",)}, "/no/such/program"),
        ({"argv": ("/etc/passwd",)}, "/etc/passwd"),
        ({"mounts": (Mount("/usr", "relative"),)}, "to be seen at 'relative'"),
        ({"container": IMAGE._replace(image="127.0.0.1:9/none/none:1", pull="missing")}, "cannot be fetched"),
    ],
)
def test_a_mistake_in_a_manifest_is_told_with_what_to_correct(
    engine: str, tmp_path: Path, change: dict[str, Any], cause: str
) -> None:
    assert cause in str(refusal(engine, tmp_path, **change).cause)
