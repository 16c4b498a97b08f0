"""What of this machine a container may be shown."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import PlanRefused
from las_jupyter.planning.shared_places import Kind, Place, check_model, check_mount, guarded, what_it_shows
from las_jupyter.stack.places import guarded_here, look_at

HOME = "/home/ada"
KEPT = guarded([HOME], ["/home/ada/.local/state/las_jupyter"], "/run/user/1000")

PRIVATE = (
    "/", "/home", HOME, f"{HOME}/.ssh", f"{HOME}/.ssh/id_ed25519", f"{HOME}/.gnupg", f"{HOME}/.config", f"{HOME}/.aws",
    f"{HOME}/.cache/huggingface/token", f"{HOME}/.cache", f"{HOME}/.local/state/las_jupyter/instances/x/secrets.json",
    "/run", "/run/docker.sock", "/run/podman/podman.sock", "/run/user/1000", "/run/user", "/var/lib/docker/volumes/x",
    "/etc", "/etc/shadow", "/proc", "/proc/1/root/home", "/sys/kernel", "/dev",
)  # fmt: skip
OPEN = (
    f"{HOME}/models", f"{HOME}/models/x.gguf", "/data", "/srv/models/x.gguf", "/dev/shm/x.gguf", "/home/bob/models",
    f"{HOME}/.cache/huggingface/hub/models--x", f"{HOME}/.sshfoo", "/run/user/1000/x.gguf", "/media/disk",
    f"{HOME}/.config.d",
)  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_what_holds_keys_is_no_model(path: str) -> None:
    with pytest.raises(PlanRefused, match="is no model"):
        check_model(Place(path, path, Kind.FOLDER), KEPT)


@pytest.mark.parametrize("path", OPEN)
def test_other_files_and_folders_may_be_models_and_mounts(path: str) -> None:
    for kind in (Kind.FILE, Kind.FOLDER):
        check_model(Place(path, path, kind), KEPT)
        assert check_mount(Place(path, path, kind), "/x", KEPT) == ""


@pytest.mark.parametrize("kind", [Kind.SOCKET, Kind.DEVICE, Kind.PIPE])
def test_what_is_neither_file_nor_folder_is_no_model_wherever_it_is(kind: Kind) -> None:
    with pytest.raises(PlanRefused, match="is no model"):
        check_model(Place("/data/x", "/data/x", kind), KEPT)


@pytest.mark.parametrize("path", PRIVATE)
def test_a_mount_of_what_holds_keys_is_believed_with_a_warning_when_it_is_typed_as_it_is(path: str) -> None:
    assert path in check_mount(Place(path, path, Kind.FOLDER), "/x", KEPT)


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("typed", ["link", "./x", "/data/../{path}", "/proc/self/root{path}", "{path}/."])
def test_in_any_other_spelling_it_is_refused_and_the_exact_one_named(path: str, typed: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        check_mount(Place(typed.format(path=path), path, Kind.FOLDER), "/x", KEPT)

    assert refused.value.remedy == f"if you mean it, --mount {path}:/x"


NAMES = st.sampled_from([".ssh", ".gnupg", ".aws", "models", "x", "id", "..", ".", "docker.sock", ".cache"])
PATHS = st.lists(NAMES, max_size=6).map(lambda parts: os.path.normpath("/".join([HOME, *parts])))


@given(PATHS)
def test_a_path_shows_keys_exactly_when_it_holds_is_or_lies_in_a_place_that_does(path: str) -> None:
    lies = any(f"{path}/".startswith(f"{each.path}/") for each in KEPT if each.inside)
    holds = any(f"{each.path}/".startswith(f"{path.rstrip('/')}/") for each in KEPT)

    assert bool(what_it_shows(Place(path, path, Kind.FOLDER), KEPT)) == (lies or holds)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    (folder / ".ssh" / "id").write_text("secret")
    (folder / "models").mkdir()
    (folder / "models" / "link").symlink_to("../.ssh")
    (folder / "models" / "far").symlink_to("link/../.ssh/id")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


SPELLINGS = (
    "{home}/.ssh", "{home}/.ssh/", "~/.ssh", "~/.ssh/", ".ssh", "./.ssh", "{home}//.ssh", "/{home}/.ssh",
    "~/models/../.ssh", "models/link", "~/models/link/", "models/far", "{home}/models/link/id",
    "/proc/self/root{home}/.ssh", "/proc/self/cwd/.ssh", "~", ".", "models/..", "{home}/.ssh/../.ssh/id",
    "/../{home}/.ssh",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_path_on_the_disk_makes_a_model_of_keys(spelling: str, home: Path, tmp_path: Path) -> None:
    place = look_at(spelling.format(home=home))

    with pytest.raises(PlanRefused):
        check_model(place, guarded_here(str(tmp_path / "state")))


STEPS = st.lists(st.sampled_from([".", "..", "models", ".ssh", "link", "", "far", "home", "id"]), max_size=8)


@given(STEPS)
def test_whatever_way_leads_to_keys_is_seen_through(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp() / "a-home"
    if not folder.exists():
        (folder / ".ssh").mkdir(parents=True)
        (folder / ".ssh" / "id").write_text("secret")
        (folder / "models").mkdir()
        (folder / "models" / "link").symlink_to("../.ssh")
    typed = "/".join([str(folder), *steps])
    place, kept = look_at(typed), guarded([str(folder)])
    really = os.path.realpath(typed)

    assert bool(what_it_shows(place, kept)) == (
        really.startswith(f"{folder}/.ssh") or f"{folder}/".startswith(f"{really.rstrip('/')}/")
    )


def test_a_place_that_is_a_link_itself_is_guarded_where_it_leads_to(home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (home / ".gnupg").symlink_to(tmp_path / "dotfiles")

    with pytest.raises(PlanRefused):
        check_model(look_at(str(tmp_path / "dotfiles")), guarded_here(str(tmp_path / "state")))


def test_what_is_there_is_told_without_opening_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("s")
        kinds = {name: look_at(str(tmp_path / name)).kind for name in ("pipe", "s", ".", "nothing")}

    assert kinds == {"pipe": Kind.PIPE, "s": Kind.SOCKET, ".": Kind.FOLDER, "nothing": Kind.MISSING}
    assert look_at("/dev/null").kind is Kind.DEVICE
    assert look_at("a\0b").kind is Kind.MISSING
