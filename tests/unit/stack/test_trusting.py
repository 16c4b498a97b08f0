"""What is trusted can be seen and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

import las_jupyter as las
from las_jupyter.core.errors import BadRequest
from las_jupyter.manifests.catalog import load_catalog
from las_jupyter.settings import load_settings
from las_jupyter.stack.parsing import parse

MANIFEST = "name: mine\nruntime: {modes: [native]}\nlaunch: {native: {argv: [sleep, '9']}}\n"
SETTINGS = '[engines."llama.cpp"]\npath = "/opt/llama-server"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o700)
    (folder / "mine.yaml").write_text(MANIFEST)
    (folder / "las.toml").write_text(SETTINGS)
    monkeypatch.chdir(folder)
    return folder


def test_nothing_is_trusted_at_first(project: Path) -> None:
    assert "Nothing is trusted beside what comes with las_jupyter" in repr(las.trust())


def test_what_is_trusted_is_listed_with_what_it_may_do(project: Path) -> None:
    las.trust("mine.yaml")
    las.trust("las.toml")

    told = {Path(row.path).name: (row.allows, row.lost) for row in las.trust()}

    assert told == {
        "las.toml": ("choose programs, folders and rules", ""),
        "mine.yaml": ("run natively", ""),
    }


def test_a_file_that_was_changed_or_is_gone_is_listed_as_no_longer_trusted(project: Path) -> None:
    las.trust("mine.yaml")
    las.trust("las.toml")
    (project / "mine.yaml").write_text(MANIFEST.replace("'9'", "'99'"))
    (project / "las.toml").unlink()

    told = {Path(row.path).name: row.lost for row in las.trust()}

    assert "it was changed since it was trusted" in told["mine.yaml"]
    assert told["las.toml"] == "it is not there any more"


def test_a_file_that_cannot_be_read_any_more_is_a_row_and_no_error(project: Path) -> None:
    las.trust("las.toml")
    (project / "las.toml").write_text("[")

    assert las.trust()[str(project / "las.toml")].lost


def test_trust_that_was_taken_back_allows_nothing(project: Path) -> None:
    las.trust("mine.yaml")
    las.trust("las.toml")

    assert "is trusted no longer" in repr(las.trust("mine.yaml", revoke=True))
    assert "is trusted no longer" in repr(las.trust("las.toml", revoke=True))

    assert not load_catalog().find("./mine.yaml").trusted
    assert load_settings().ignored
    assert len(las.trust()) == 0


def test_trust_of_a_file_that_is_gone_can_be_taken_back(project: Path) -> None:
    las.trust("mine.yaml")
    (project / "mine.yaml").unlink()

    las.trust("mine.yaml", revoke=True)

    assert len(las.trust()) == 0


def test_what_was_not_trusted_cannot_be_taken_back_and_says_what_is(project: Path) -> None:
    las.trust("las.toml")

    with pytest.raises(BadRequest, match="was not trusted") as refused:
        las.trust("mine.yaml", revoke=True)

    assert str(project / "las.toml") in str(refused.value.cause)
    assert refused.value.remedy == "%las trust lists what is"


def test_a_revoke_without_a_file_says_what_is_missing() -> None:
    with pytest.raises(BadRequest, match="Whose trust"):
        las.trust(revoke=True)


def test_the_words_in_a_cell_and_in_a_terminal_mean_the_same() -> None:
    assert parse(["trust", "las.toml", "--revoke"]).values == {"path": "las.toml", "revoke": True}
    assert parse(["trust"]).values == {}
