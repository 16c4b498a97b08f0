"""Settings are read once for each change of what they are read from, and no change is overlooked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import las_jupyter as las
from las_jupyter.settings import load_settings
from las_jupyter.settings.freshness import _SETTLED, fingerprint
from las_jupyter.settings.load import LoadedSettings
from las_jupyter.settings.own import user_file

HARMLESS = "[logs]\nkeep_starts = {}\n"
POWERFUL = '[engines."llama.cpp"]\npath = "/opt/llama-server"\n'
DEADLINE = 10.0


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project" / "notebooks"
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.chdir(folder)
    return folder


def settled() -> LoadedSettings:
    """What is loaded once its files are old enough to be remembered."""
    deadline = time.monotonic() + DEADLINE
    while (found := load_settings()) is not load_settings():
        assert time.monotonic() < deadline, "they are never remembered"
        time.sleep(_SETTLED / 1e9 / 10)
    return found


def test_what_did_not_change_is_not_read_again(work: Path) -> None:
    assert settled() is load_settings()


def write_a_project_file(work: Path) -> None:
    (work.parent / "las.toml").write_text(HARMLESS.format(3))


def write_it_nearer(work: Path) -> None:
    (work / "las.toml").write_text(HARMLESS.format(4))


def write_a_pyproject(work: Path) -> None:
    (work.parent / "pyproject.toml").write_text("[tool.las.logs]\nkeep_starts = 5\n")


def write_the_users_file(work: Path) -> None:
    user_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    user_file().write_text(HARMLESS.format(6))


def set_a_variable(work: Path) -> None:
    os.environ["LAS_JUPYTER_LOGS__KEEP_STARTS"] = "7"


@pytest.mark.parametrize(
    "change", [write_a_project_file, write_it_nearer, write_a_pyproject, write_the_users_file, set_a_variable]
)
def test_a_change_counts_at_the_next_look(
    work: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAS_JUPYTER_LOGS__KEEP_STARTS", "1")
    monkeypatch.delenv("LAS_JUPYTER_LOGS__KEEP_STARTS")
    before = settled().logs.keep_starts

    change(work)

    assert load_settings().logs.keep_starts != before


def test_a_file_that_changes_twice_at_once_is_read_twice(work: Path) -> None:
    """Within one tick of the file system's clock both look the same."""
    assert settled()
    write_it_nearer(work)
    found = fingerprint(str(work), "LAS_JUPYTER_")

    assert found is not None
    assert not found.settled


def test_a_file_that_is_taken_away_counts_no_longer(work: Path) -> None:
    write_it_nearer(work)
    assert settled().logs.keep_starts == 4

    (work / "las.toml").unlink()

    assert load_settings().logs.keep_starts != 4


def test_another_folder_has_other_settings(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_it_nearer(work)
    here = settled()
    monkeypatch.chdir(work.parent)

    assert load_settings().logs.keep_starts != here.logs.keep_starts


def test_trust_that_is_given_or_taken_counts_at_the_next_look(work: Path) -> None:
    (work / "las.toml").write_text(POWERFUL)
    assert settled().ignored

    las.trust("las.toml")
    assert not settled().ignored
    las.trust("las.toml", revoke=True)

    assert load_settings().ignored


def test_a_file_that_others_may_write_to_from_now_on_does_not_count(work: Path) -> None:
    write_it_nearer(work)
    assert settled().logs.keep_starts == 4

    (work / "las.toml").chmod(0o666)
    assert load_settings().ignored
    (work / "las.toml").chmod(0o600)
    assert not load_settings().ignored
    work.chmod(0o777)

    assert load_settings().ignored


def test_what_a_call_gives_is_never_remembered(work: Path) -> None:
    settled()

    assert load_settings(logs={"keep_starts": 9}).logs.keep_starts == 9
    assert load_settings().logs.keep_starts != 9
