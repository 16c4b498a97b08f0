"""What people and strangers may put where a manifest, a policy, settings or a model is read."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_files import ODD, within

import las_jupyter as las
from las_jupyter.core.errors import InvalidSettings, LasError, PlanRefused
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.manifests.trust import pins, pins_file, trust
from las_jupyter.models.cache import recorded_checksum
from las_jupyter.models.fetch import locate
from las_jupyter.models.gguf_check import check_gguf
from las_jupyter.models.reference import parse
from las_jupyter.policy.load import load_policies
from las_jupyter.resources.gguf_info import read_gguf
from las_jupyter.resources.parameters import count_parameters
from las_jupyter.resources.safetensors_info import read_safetensors
from las_jupyter.settings.files import user_file
from las_jupyter.settings.load import load_settings


@pytest.fixture(params=ODD, ids=lambda kind: str(kind).replace(" ", "_"))
def odd(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ODD[request.param](path)
        return path

    return make


@pytest.fixture
def little_memory():
    """Reading a terabyte then fails at once, where it would otherwise take the machine with it."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


pytestmark = pytest.mark.usefixtures("little_memory")


def test_an_odd_manifest_is_one_sentence(odd: Callable[[Path], Path], tmp_path: Path) -> None:
    path = odd(tmp_path / "m.yaml")

    for ask in (las.plan, las.trust):
        with within(5), pytest.raises(LasError) as refused:
            ask(str(path))
        assert refused.value.cause


def test_an_odd_manifest_among_ours_breaks_only_itself(odd: Callable[[Path], Path]) -> None:
    odd(user_file().parent / "manifests" / "m.yaml")

    with within(5):
        catalog = load_catalog(load_settings())

    assert "http-echo" in {entry.manifest.name for entry in catalog.entries}


def test_an_odd_settings_file_is_one_sentence_or_none(odd: Callable[[Path], Path], tmp_path: Path) -> None:
    odd(tmp_path / "project" / "las.toml")
    odd(tmp_path / "other" / "pyproject.toml")
    odd(user_file())
    odd(user_file().with_name("config.yaml"))

    for place in ("project", "other", "nowhere"):
        with within(5):
            try:
                load_settings(tmp_path / place)
            except LasError as refused:
                assert refused.cause


def test_an_odd_policy_is_no_site_without_rules(odd: Callable[[Path], Path], tmp_path: Path) -> None:
    path = odd(tmp_path / "policies.yaml")

    with within(5), pytest.raises(LasError) as refused:
        load_policies(path)

    assert refused.value.cause


def test_odd_pins_pin_nothing(odd: Callable[[Path], Path], tmp_path: Path) -> None:
    odd(pins_file())

    with within(5):
        try:
            assert pins() == {}
        except InvalidSettings as refused:  # a device that everybody may write to
            assert refused.cause


def test_an_odd_model_is_one_sentence(odd: Callable[[Path], Path], tmp_path: Path) -> None:
    path = odd(tmp_path / "m.gguf")

    for ask in (check_gguf, read_gguf, read_safetensors, lambda it: locate(parse(str(it)))):
        with within(5):
            try:
                ask(path)  # type: ignore[operator]
            except LasError as refused:
                assert refused.message
                continue
        assert path.is_dir()  # a folder may be a model


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a link to a device without end"])
@pytest.mark.parametrize("name", ["m.gguf", "m", "m.safetensors"])
def test_a_model_that_is_no_file_is_refused_by_the_plan(tmp_path: Path, kind: str, name: str) -> None:
    ODD[kind](tmp_path / name)

    with within(5), pytest.raises(PlanRefused, match="is no model"):
        las.plan("llama.cpp", model=str(tmp_path / name), mode="native")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors.index.json", "model.safetensors", "x.safetensors"])
def test_a_model_folder_with_something_odd_in_it_is_one_sentence(
    odd: Callable[[Path], Path], tmp_path: Path, file: str
) -> None:
    odd(tmp_path / "model" / file)

    with within(5):
        count_parameters(tmp_path / "model")
        try:
            read_safetensors(tmp_path / "model")
        except LasError as refused:
            assert refused.message


def test_an_odd_checksum_is_none(odd: Callable[[Path], Path], tmp_path: Path) -> None:
    (tmp_path / "m.gguf").touch()
    odd(tmp_path / "m.gguf.sha256")

    with within(5):
        assert recorded_checksum(tmp_path / "m.gguf") is None


def test_trust_makes_its_folders_closed_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    (tmp_path / "m.yaml").write_text('name: mine\nversion: "1"\nruntime: {modes: [native]}\n')
    before = os.umask(0)
    try:
        trust(tmp_path / "m.yaml")
    finally:
        os.umask(before)

    made = [pins_file(), *pins_file().parents[: len(pins_file().relative_to(tmp_path).parts) - 1]]
    assert [oct(each.stat().st_mode & 0o077) for each in made] == ["0o0"] * len(made)
