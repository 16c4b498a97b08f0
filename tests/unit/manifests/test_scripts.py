"""The shell scripts in manifests, with stand-ins for the programs they run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from las_jupyter.core.states import Mode
from las_jupyter.manifests import lower
from las_jupyter.manifests.catalog import load_catalog

KEY = "Zm9v-_key"
TELL = 'printf "%s\\n" "$(basename "$0") $*" >> "{told}"\n'


def program(folder: Path, name: str, does: str = "") -> Path:
    """A stand-in that notes how it was called, and what came in."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{TELL.format(told=folder / 'told')}{does}\n")
    path.chmod(0o755)
    return path


def run(
    module: str, engine: Path, env: dict[str, str], key_file: Path | None = None
) -> subprocess.CompletedProcess[str]:
    values = {"engine": str(engine), "host": "127.0.0.1", "port": "1", "data_dir": str(engine.parent / "data")}
    manifest = load_catalog().find(module).manifest
    argv = [word.replace("{secret_file:password}", str(key_file)) for word in lower.argv(manifest, Mode.NATIVE, values)]
    env = {**os.environ, **lower.env(manifest, Mode.NATIVE, values), **env}
    assert KEY not in " ".join(argv)
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("home", ["plain", "with a blank"])
def test_redis_reads_its_password_from_standard_input(tmp_path: Path, home: str):
    (tmp_path / home).mkdir()
    engine = program(tmp_path / home, "redis-server", 'cat > "$(dirname "$0")/stdin"')

    ended = run("redis", engine, {"REDIS_PASSWORD": KEY})

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / home / "stdin").read_text() == f"requirepass {KEY}\n"
    assert (tmp_path / home / "told").read_text().endswith("--daemonize no -\n")


def test_a_missing_password_is_no_open_server(tmp_path: Path):
    engine = program(tmp_path, "redis-server")

    assert run("redis", engine, {}).returncode != 0
    assert not (tmp_path / "told").exists()


@pytest.fixture
def postgres(tmp_path: Path) -> Path:
    program(tmp_path, "initdb", 'mkdir -p "$PGDATA" && echo 15 > "$PGDATA/PG_VERSION"')
    (tmp_path / "key").write_text(KEY + "\n")
    return program(tmp_path, "postgres", f'[ "$1" != --single ] || cat > {tmp_path}/sql')


def test_a_new_cluster_is_made_with_the_key_as_its_password(tmp_path: Path, postgres: Path):
    ended = run("postgres", postgres, {}, tmp_path / "key")

    assert ended.returncode == 0, ended.stderr
    first, last = (tmp_path / "told").read_text().splitlines()
    assert first == f"initdb --username=postgres --auth=scram-sha-256 --pwfile={tmp_path / 'key'}"
    assert last == "postgres -h 127.0.0.1 -p 1 -c unix_socket_directories="


def test_an_old_cluster_gets_the_new_key_before_it_listens(tmp_path: Path, postgres: Path):
    run("postgres", postgres, {}, tmp_path / "key")
    (tmp_path / "told").unlink()

    ended = run("postgres", postgres, {}, tmp_path / "key")

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "sql").read_text() == f"ALTER ROLE postgres PASSWORD '{KEY}'\n"
    single, last = (tmp_path / "told").read_text().splitlines()
    assert single.startswith("postgres --single -D ")
    assert last.startswith("postgres -h 127.0.0.1")


def test_a_program_that_was_linked_is_followed_to_its_neighbours(tmp_path: Path, postgres: Path):
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "postgres"
    link.symlink_to(postgres)

    assert run("postgres", link, {}, tmp_path / "key").returncode == 0
