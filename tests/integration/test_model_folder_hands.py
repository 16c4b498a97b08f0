"""Models count only from a folder that nobody else can write to, and pip only from where it is installed."""

# ruff: noqa: F811 - a test names the fixtures it wants

import hashlib
import os
from pathlib import Path

import pytest
from model_index import index  # noqa: F401
from odd_files import ODD, within
from tiny_gguf import gguf_bytes

from las_jupyter.core.errors import DownloadFailed
from las_jupyter.models import cache, pypi, seen
from las_jupyter.models.fetch import LocatedModel, NeedsDownload, fetch, locate
from las_jupyter.models.reference import parse
from las_jupyter.state.paths import UnsafeFolder

TINY = "pypi:tiny-model==1.0/tiny.gguf"
MALLORY = 4711
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


def planted(folder: Path, content: bytes, note: str | None = None) -> Path:
    target = pypi.cached_path(parse(TINY), folder)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    cache.checksum_file(target).write_text(note or f"{hashlib.sha256(content).hexdigest()}  tiny.gguf\n")
    return target


def test_a_planted_file_with_any_note_is_not_the_model(tmp_path):
    planted(tmp_path, gguf_bytes(), "0" * 64)

    assert isinstance(locate(parse(TINY), tmp_path), NeedsDownload)


def test_a_pinned_model_has_the_sha256_that_is_pinned_and_not_the_one_beside_it(tmp_path):
    content = gguf_bytes()
    planted(tmp_path, content)
    other = parse(TINY)._replace(sha256="0" * 64, size=len(content))

    assert isinstance(locate(other, tmp_path), NeedsDownload)
    assert isinstance(locate(other._replace(sha256=hashlib.sha256(content).hexdigest()), tmp_path), LocatedModel)


def test_a_model_is_hashed_once_and_again_when_it_changed(tmp_path, monkeypatch):
    target = planted(tmp_path, gguf_bytes())
    hashed = []
    monkeypatch.setattr(
        seen, "_hashed", lambda model: hashed.append(model) or hashlib.sha256(model.read_bytes()).hexdigest()
    )

    for _ in range(3):
        assert isinstance(locate(parse(TINY), tmp_path), LocatedModel)
    assert len(hashed) == 1

    swapped = bytearray(target.read_bytes())
    swapped[-1] ^= 1
    before = target.stat()
    target.write_bytes(bytes(swapped))
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert isinstance(locate(parse(TINY), tmp_path), NeedsDownload)
    assert len(hashed) == 2


def test_what_we_fetched_ourselves_is_not_read_again(index, tmp_path, monkeypatch):
    monkeypatch.setattr(seen, "_hashed", lambda model: pytest.fail("it was read whole"))

    fetch(parse(TINY), tmp_path / "models")

    assert isinstance(locate(parse(TINY), tmp_path / "models"), LocatedModel)


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_list_of_what_was_seen_is_no_list(tmp_path, kind):
    planted(tmp_path / "models", gguf_bytes())
    state = tmp_path / "las-state"
    state.mkdir(mode=0o700)
    ODD[kind](state / "models.json")

    with within(10):
        assert isinstance(locate(parse(TINY), tmp_path / "models"), LocatedModel)


@only_root
@pytest.mark.parametrize("theirs", ["", "pypi", "pypi/tiny-model/1.0", "pypi/tiny-model/1.0/tiny.gguf"])
def test_a_model_folder_or_file_of_another_user_is_refused(tmp_path, theirs):
    planted(tmp_path / "models", gguf_bytes())
    os.chown(tmp_path / "models" / theirs, MALLORY, MALLORY)

    for ask in (locate, fetch):
        with pytest.raises(UnsafeFolder) as refused:
            ask(parse(TINY), tmp_path / "models")
    assert "models.cache_dir" in (refused.value.remedy or "")


@pytest.mark.parametrize("reference", [TINY, "hf:org/repo/x.gguf"])
def test_a_model_folder_for_everybody_is_refused(tmp_path, reference):
    place = tmp_path / "models" / ("hf/org/repo/main" if reference.startswith("hf") else "pypi/tiny-model/1.0")
    place.mkdir(parents=True)
    place.chmod(0o777)

    with pytest.raises(UnsafeFolder):
        locate(parse(reference), tmp_path / "models")


@only_root
def test_a_link_that_another_put_into_a_shared_folder_is_refused(tmp_path):
    place = tmp_path / "models" / "hf" / "org" / "repo" / "main"
    place.mkdir(parents=True)
    place.chmod(0o1777)
    (place / "x.gguf").symlink_to("/etc/passwd")
    os.chown(place / "x.gguf", MALLORY, MALLORY, follow_symlinks=False)

    with pytest.raises(UnsafeFolder):
        locate(parse("hf:org/repo/x.gguf"), tmp_path / "models")


def test_a_model_named_by_its_path_may_be_anybodys(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "tiny.gguf").write_bytes(gguf_bytes())
    if os.geteuid() == 0:
        os.chown(shared / "tiny.gguf", MALLORY, MALLORY)
    shared.chmod(0o777)

    assert isinstance(locate(parse(str(shared / "tiny.gguf"))), LocatedModel)


def test_a_lock_that_is_a_link_makes_no_file(index, tmp_path):
    target = pypi.cached_path(parse(TINY), tmp_path / "models")
    target.parent.mkdir(parents=True)
    target.with_name(".tiny.gguf.lock").symlink_to(tmp_path / "made")

    with pytest.raises(DownloadFailed):
        fetch(parse(TINY), tmp_path / "models")

    assert not (tmp_path / "made").exists()


def test_a_work_folder_that_is_a_link_is_made_anew(index, tmp_path):
    target = pypi.cached_path(parse(TINY), tmp_path / "models")
    target.parent.mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    cache.work_dir(target).symlink_to(tmp_path / "precious")

    fetch(parse(TINY), tmp_path / "models")

    assert (tmp_path / "precious" / "file").exists()
    assert isinstance(locate(parse(TINY), tmp_path / "models"), LocatedModel)


def test_pip_is_the_installed_one_wherever_somebody_works(index, tmp_path, monkeypatch):
    work = tmp_path / "work"
    for name in ("pip/__main__.py", "pip/__init__.py", "zipfile.py", "sitecustomize.py"):
        file = work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(work)
    monkeypatch.setenv("PYTHONPATH", "")

    fetch(parse(TINY), tmp_path / "models")

    assert not (tmp_path / "ran").exists()


def test_pips_own_places_mean_the_same_wherever_it_runs(tmp_path, monkeypatch):
    (tmp_path / "wheels").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels http://127.0.0.1:9/x")

    assert pypi._pips_places()["PIP_FIND_LINKS"] == f"{tmp_path}/wheels http://127.0.0.1:9/x"


def test_a_model_folder_named_from_where_one_works_is_filled_there(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    fetch(parse(TINY), "models")

    assert isinstance(locate(parse(TINY), tmp_path / "models"), LocatedModel)


def test_the_folders_of_models_are_closed_whatever_the_umask(index, tmp_path):
    before = os.umask(0)
    try:
        found = fetch(parse(TINY), tmp_path / "models")
    finally:
        os.umask(before)

    assert [oct(each.stat().st_mode & 0o022) for each in [found, *found.parents[:4]]] == ["0o0"] * 5
