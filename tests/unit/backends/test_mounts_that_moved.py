"""What a container is shown at its first start is what it is shown at every later one."""

from __future__ import annotations

from pathlib import Path

import pytest

from las_jupyter.backends.oci import create_options
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import ContainerSpec, LaunchSpec, Mount
from las_jupyter.core.states import Mode
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths


def spec(source: Path) -> LaunchSpec:
    mounts = (Mount(str(source), "/models/m.gguf"),)
    return LaunchSpec(
        "one", "one", Mode.CONTAINER, "podman", (), container=ContainerSpec("own:1", user="1:1"), mounts=mounts
    )


def files(tmp_path: Path) -> StartFiles:
    return StartFiles(str(tmp_path / "instance"), "", -1, 1, str(tmp_path / "state"))


def test_a_container_that_puts_a_link_in_the_place_of_its_model_is_not_shown_what_it_leads_to(tmp_path: Path) -> None:
    model, private = tmp_path / "m.gguf", tmp_path / "private"
    model.write_text("weights")
    private.write_text("key")
    assert create_options(spec(model), {}, files(tmp_path), "1").mounts[0].source == str(model)

    model.unlink()
    model.symlink_to(private)

    with pytest.raises(LaunchFailed, match="could not be started") as caught:
        create_options(spec(model), {}, files(tmp_path), "2")
    assert f"leads to {private} now" in str(caught.value.cause)


def test_nor_what_a_link_in_the_place_of_a_folder_above_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for name in ("models", "elsewhere"):
        (tmp_path / name / "m.gguf").write_text(name)
    planned = spec(tmp_path / "models" / "m.gguf")

    (tmp_path / "models").rename(tmp_path / "old")
    (tmp_path / "models").symlink_to("elsewhere")

    with pytest.raises(LaunchFailed):
        create_options(planned, {}, files(tmp_path), "2")


def test_a_model_that_is_a_link_is_written_down_as_what_it_leads_to(tmp_path: Path) -> None:
    blob, link = tmp_path / "blob", tmp_path / "m.gguf"
    blob.write_text("weights")
    link.symlink_to(blob)
    manager = Manager(StatePaths(str(tmp_path / "state"), str(tmp_path / "logs")))
    Path(manager.paths.instance("one")).mkdir(parents=True)

    manager._write_spec(spec(link), {})

    kept = manager.spec("one")
    assert kept.mounts == (Mount(str(blob), "/models/m.gguf"),)
    assert create_options(kept, {}, files(tmp_path), "1").mounts[0].source == str(blob)
