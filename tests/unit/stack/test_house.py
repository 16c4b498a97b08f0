from __future__ import annotations

import pytest

from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.settings.load import load_settings
from las_jupyter.stack.house import House
from las_jupyter.stack.stack import Stack
from las_jupyter.stack.ways import ways


@pytest.fixture
def house(tmp_path, monkeypatch) -> House:
    monkeypatch.chdir(tmp_path)
    return House()


def test_a_log_folder_of_the_settings_is_used_from_the_next_call_on(house, tmp_path):
    before = house.manager.paths.log_dir
    (tmp_path / "las.toml").write_text(f'[runtime]\nlog_dir = "{tmp_path}/elsewhere"\n')
    house.trust("las.toml")

    assert before == str(tmp_path / "las-state" / "logs")
    assert house.manager.paths.log_dir == str(tmp_path / "elsewhere")


def test_the_manager_of_one_folder_is_made_once(house):
    assert house.manager is house.manager


def test_a_module_that_cannot_be_started_says_what_is_missing(house, tmp_path):
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "listed.yaml").write_text("name: listed\nruntime: {modes: [native]}\n")
    (folder / "mine.yaml").write_text(
        "name: mine\nruntime: {modes: [native]}\nlaunch: {native: {argv: [sleep, '9']}}\n"
    )
    (tmp_path / "las.toml").write_text(f'[manifests]\npaths = ["{folder}"]\n')
    house.trust("las.toml")

    rows = {row.name: row for row in house.modules()}

    assert "no launch section" in rows["listed"].note
    assert f"%las trust {folder}/mine.yaml" in rows["mine"].note
    assert rows["llama.cpp"].note == ""


def test_a_module_is_listed_with_the_modes_it_can_be_started_in_here(house, tmp_path):
    (tmp_path / "las.toml").write_text("[runtime]\ndocker_enabled = false\n")

    rows = {row.name: row for row in house.modules()}
    (tmp_path / "las.toml").write_text("[runtime]\ndocker_enabled = false\nnative_enabled = false\n")

    assert rows["http-echo"].ways == ("native",)
    assert rows["text-embeddings-inference"].ways == ()
    assert all(row.ways == () for row in house.modules())


def test_a_broken_manifest_breaks_only_itself_and_is_named(house, tmp_path):
    (tmp_path / "broken.yaml").write_text("name: broken\nruntme: {}\n")
    (tmp_path / "las.toml").write_text(f'[manifests]\npaths = ["{tmp_path}/broken.yaml"]\n')
    house.trust("las.toml")

    table = Stack(house).modules()

    assert "llama.cpp" in [row.name for row in table]
    assert "broken.yaml" in " ".join(table.notes)


def test_settings_say_where_they_came_from(house, tmp_path):
    (tmp_path / "las.toml").write_text("[logs]\nkeep_starts = 3\n")

    assert {row.key: row for row in house.settings()}["logs.keep_starts"] == (
        "logs.keep_starts", "3", str(tmp_path / "las.toml")
    )  # fmt: skip


def test_what_is_of_no_use_without_a_gpu_is_not_listed_as_if_it_could_be_started(house):
    entries = {entry.manifest.name: entry for entry in load_catalog(load_settings()).entries}

    def listed(name: str, *, gpu: bool) -> tuple[str, ...]:
        return ways(entries[name], load_settings(), "docker", gpu=gpu)

    assert listed("vllm", gpu=True) == listed("sglang", gpu=True) == ("container (docker)",)
    assert listed("vllm", gpu=False) == listed("sglang", gpu=False) == ()
    assert "container (docker)" in listed("llama.cpp", gpu=False)
