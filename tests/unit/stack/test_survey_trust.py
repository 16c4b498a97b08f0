"""What of this machine a start is given when nobody trusts its manifest, or when the user types what is better kept."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from las_jupyter.core.errors import PlanRefused, UnknownModel
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.request import StartPlan, StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.manifests.trust import trust
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend
from las_jupyter.runtime.manager import Manager
from las_jupyter.settings.load import load_settings
from las_jupyter.stack import survey
from las_jupyter.state.files import write_value
from las_jupyter.state.paths import default_paths

OWN = """\
name: {name}
version: "99"
runtime: {{modes: [container, native]}}
launch: {{container: {{image: "own:1", data: /data}}, native: {{argv: [own]}}}}
model: {{kind: any, required: false{default}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    monkeypatch.setattr(survey, "_container_backend", lambda name: Backend(name, Mode.CONTAINER))
    return tmp_path


def manager() -> Manager:
    return Manager(default_paths(None))


def own(name: str = "own", default: str = "") -> str:
    path = Path(f"{name}.yaml")
    path.write_text(OWN.format(name=name, default=f", default: '{default}'" if default else ""))
    return f"./{path}"


def planned(module: str, **asked: object) -> StartPlan:
    request = StartRequest(module, mode=Mode.CONTAINER)._replace(**asked)  # type: ignore[arg-type]
    settings = load_settings()
    return decide(request, survey.survey(request, settings, load_catalog(settings), manager()))


def test_a_default_that_is_the_name_of_a_file_here_is_not_that_file(folder: Path) -> None:
    path = own(default="smollm")
    (folder / "smollm").write_text("secret")
    trust(path)

    with pytest.raises(UnknownModel):
        planned(path)


def test_a_named_model_is_that_even_where_a_file_has_its_name(folder: Path) -> None:
    (folder / "smollm2-135m").write_text("secret")

    mounts = planned(own(default="smollm2-135m")).spec.mounts

    assert all(not mount.source.startswith(str(folder / "smollm2-135m")) for mount in mounts)


@pytest.mark.parametrize("default", ["hf:me/private", "pypi:x==1/y.gguf"])
def test_an_untrusted_manifest_takes_no_repository_that_the_user_did_not_name(folder: Path, default: str) -> None:
    path = own(default=default)

    with pytest.raises(PlanRefused, match="needs a model") as refused:
        planned(path)
    assert default in str(refused.value.cause)
    assert default not in str(refused.value.remedy)

    trust(path)
    assert planned(path).spec.model == default


def test_what_the_user_names_is_shown_and_nothing_else(folder: Path) -> None:
    (folder / "model").mkdir()

    spec = planned(own(), model="./model").spec

    assert [mount.source for mount in spec.mounts] == [f"{folder}/las-state/data/own", str(folder / "model")]


@pytest.mark.parametrize(
    "model", ["~/.ssh", "home/.ssh", "/", "/proc/self/root/etc", "pipe", "socket", "/dev/null", "home"]
)
def test_no_model_is_made_of_keys_or_of_what_would_hang(folder: Path, model: str) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(PlanRefused, match="is no model"):
            planned(own(), model=model)


def test_a_mount_of_keys_is_shown_as_a_warning_when_it_is_typed_as_it_is(folder: Path) -> None:
    plan = planned(own(), mounts=(f"{folder}/home/.ssh:/keys",))

    assert any(f"the container sees {folder}/home/.ssh" in each for each in plan.warnings)


@pytest.mark.parametrize("typed", ["home/.ssh", "./home/../home/.ssh", "home"])
def test_a_mount_of_keys_in_another_spelling_is_refused(folder: Path, typed: str) -> None:
    with pytest.raises(PlanRefused, match="is not shown to a container") as refused:
        planned(own(), mounts=(f"{typed}:/keys",))

    assert f"--mount {folder}/home" in str(refused.value.remedy)


def test_any_other_mount_is_the_place_it_leads_to(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "link").symlink_to("data")

    plan = planned(own(), mounts=("./link:/data2:rw",))

    assert str(folder / "data") in [mount.source for mount in plan.spec.mounts]


def started(name: str, spec: LaunchSpec) -> None:
    """As if an instance of that name had been started, and had ended."""
    paths = manager().paths
    Path(paths.instance(name)).mkdir(parents=True)
    write_value(paths.spec(name), spec)


def test_a_file_with_a_bundled_name_is_not_started_as_the_bundled_one(folder: Path) -> None:
    path = own("postgres")

    with pytest.raises(PlanRefused, match="is not started as postgres") as refused:
        planned(path)
    assert "--name" in str(refused.value.remedy)

    assert planned(path, name="other").spec.name == "other"
    with pytest.raises(PlanRefused, match="is not started as redis"):
        planned(path, name="redis")


def test_a_bundled_module_does_not_begin_with_what_an_untrusted_one_left(folder: Path) -> None:
    started("db", planned(own(), name="db").spec)
    (folder / "las-state" / "data" / "db").mkdir(parents=True)

    with pytest.raises(PlanRefused, match="is not started as db") as refused:
        planned("postgres", name="db")
    assert str(folder / "own.yaml") in str(refused.value.cause)


def test_data_that_outlived_its_instance_is_given_to_no_untrusted_manifest(folder: Path) -> None:
    path = own()
    (folder / "las-state" / "data" / "own").mkdir(parents=True)

    with pytest.raises(PlanRefused, match="is not started as own"):
        planned(path)

    trust(path)
    assert planned(path)


def test_an_untrusted_manifest_is_started_again_with_its_own_data(folder: Path) -> None:
    path = own()
    started("own", planned(path).spec)
    (folder / "las-state" / "data" / "own").mkdir(parents=True)

    assert planned(path).spec.name == "own"


def test_another_file_of_the_same_name_is_not(folder: Path) -> None:
    started("own", planned(own()).spec)
    (folder / "clone").mkdir()
    (folder / "clone" / "own.yaml").write_text((folder / "own.yaml").read_text())

    with pytest.raises(PlanRefused, match="is not started as own"):
        planned("clone/own.yaml")
