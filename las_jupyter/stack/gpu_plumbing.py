"""
Why a GPU that is in the machine cannot be used: its driver, the driver's library, or the way into a container.

All is read from the file system below ``root``, so that a picture of a machine can be looked at as well.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from las_jupyter.stack.finding import Finding

_NVIDIA, _AMD = "0x10de", "0x1002"
_CDI_FOLDERS = ("etc/cdi", "var/run/cdi", "run/cdi")
_TOOLKIT = ("nvidia-ctk", "nvidia-container-runtime")
_INSTALL_TOOLKIT = (
    "install the package nvidia-container-toolkit, then sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
)


def gpu_plumbing(
    nvml_problem: str | None, root: Path = Path("/"), which: Callable[[str], str | None] = shutil.which
) -> Iterator[Finding]:
    """What stands between the cards and the modules; nothing where no card is. ``nvml_problem``: why NVML has none."""
    cards = _cards(root)
    if _NVIDIA in cards or (root / "proc/driver/nvidia/version").exists():
        yield _nvidia_driver(nvml_problem, root)
        yield from _into_containers(root, which)
    if _AMD in cards:
        yield _amd_driver(root)


def _cards(root: Path) -> set[str]:
    """The makers of the graphics cards on the bus."""
    found = set()
    for device in (root / "sys/bus/pci/devices").glob("*"):
        if _text(device / "class").startswith("0x03"):
            found.add(_text(device / "vendor").strip())
    return found


def _nvidia_driver(problem: str | None, root: Path) -> Finding:
    subject = "NVIDIA driver"
    loaded = (root / "proc/driver/nvidia/version").exists()
    if problem is None:
        return Finding(subject, True, "its library answers")
    if "cannot be imported" in problem:
        return Finding(subject, False, problem, "pip install nvidia-ml-py")
    if not loaded:
        cure = "install the NVIDIA driver of your system, or sudo modprobe nvidia where it is installed"
        return Finding(subject, False, f"an NVIDIA card is here, and its driver is not loaded ({problem})", cure)
    if "mismatch" in problem.lower():
        cure = "restart the machine: the driver was updated while the old one ran"
        return Finding(subject, False, f"the library is of another version than the driver that runs ({problem})", cure)
    if "not found" in problem.lower():
        cure = "install libnvidia-ml of the driver's version; a container must be started with its GPUs, --gpus all"
        return Finding(subject, False, f"the driver runs, and its library libnvidia-ml is not here ({problem})", cure)
    return Finding(subject, False, problem, "nvidia-smi says more; a restart of the machine often helps")


def _into_containers(root: Path, which: Callable[[str], str | None]) -> Iterator[Finding]:
    """Docker takes GPUs by NVIDIA's toolkit, Podman by a CDI specification that the toolkit writes."""
    toolkit, specified = any(which(name) for name in _TOOLKIT), _has_cdi(root)
    if which("docker"):
        if toolkit and "nvidia" in _text(root / "etc/docker/daemon.json"):
            yield Finding("GPUs in Docker", True, "NVIDIA's toolkit is set up")
        elif toolkit:
            cure = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
            yield Finding("GPUs in Docker", None, "NVIDIA's toolkit is here, and Docker may not know of it", cure)
        else:
            yield Finding("GPUs in Docker", False, "NVIDIA's container toolkit is not installed", _INSTALL_TOOLKIT)
    if which("podman"):
        if specified:
            yield Finding("GPUs in Podman", True, "there is a CDI specification for nvidia.com/gpu")
        else:
            cure = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml" if toolkit else _INSTALL_TOOLKIT
            yield Finding("GPUs in Podman", False, "there is no CDI specification for nvidia.com/gpu", cure)


def _has_cdi(root: Path) -> bool:
    files = (file for folder in _CDI_FOLDERS for file in (root / folder).glob("*"))
    return any(file.suffix in (".yaml", ".yml", ".json") and "nvidia.com/gpu" in _text(file) for file in files)


def _amd_driver(root: Path) -> Finding:
    device = root / "dev/kfd"
    if not device.exists():
        cure = "install ROCm's driver (amdgpu with compute) if models are to run on it"
        return Finding("AMD driver", None, "an AMD card is here, without the compute driver (/dev/kfd)", cure)
    if not os.access(device, os.R_OK | os.W_OK):
        cure = "sudo usermod -aG render,video $USER, then log in again"
        return Finding("AMD driver", False, "/dev/kfd cannot be opened by you", cure)
    return Finding("AMD driver", True, "/dev/kfd can be opened")


def _text(path: Path) -> str:
    try:
        with path.open(errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""
