"""A secret of the user's own reaches its server, also after a restart, and lies in one file that only they may read."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import las_jupyter as las
from las_jupyter.core.errors import InstanceConflict
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.wire import to_json

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]

SERVER = """
import http.server, os, sys
for name in ("HF_TOKEN", "DATABASE_URL"):
    print(name, "is", os.environ.get(name), flush=True)
print("the password is", os.environ.get("DATABASE_URL", ":")[13:22], flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
ADDRESS = "postgres://u:SuperPw99@h"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    script, manifest = tmp_path / "server.py", tmp_path / "manifest.yaml"
    script.write_text(SERVER)
    manifest.write_text(
        "name: told\nruntime: {modes: [native]}\nports: [{default: 18766}]\n"
        f"launch: {{native: {{argv: [{sys.executable}, {script}, '{{port}}']}}}}\n"
        "health: {ready: {http: {path: /}}}\n"
    )
    las.trust(manifest)
    return manifest


def instance(*parts: str) -> Path:
    return Path(os.environ["LAS_JUPYTER_STATE_DIR"], "instances", "told", *parts)


def environment_of(pid: int | None) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def test_a_variable_taken_from_here_reaches_the_server_and_lies_in_the_file_of_secrets_only(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "nobody-reads-this")
    told = las.start(server, env={"HF_TOKEN": None, "DATABASE_URL": ADDRESS, "OPEN": "yes"})

    assert json.loads(instance("secrets.json").read_text()) == {
        "env:HF_TOKEN": "nobody-reads-this", "env:DATABASE_URL": ADDRESS,
    }  # fmt: skip
    assert instance("secrets.json").stat().st_mode & 0o777 == 0o600
    files = [path for path in instance().iterdir() if path.suffix in (".json", ".jsonl")]
    kept = "".join(path.read_text() for path in files if path.name != "secrets.json")
    shown = repr(told) + str(told.logs()) + str(las.events("told")) + str(las.status())
    assert "nobody-reads-this" not in kept + shown
    assert "SuperPw99" not in kept + shown
    assert "HF_TOKEN is ‹hidden›" in str(told.logs())
    assert "OPEN=yes" in environment_of(told.pid)
    assert f"DATABASE_URL={ADDRESS}" in environment_of(told.pid)
    command = Path(f"/proc/{told.pid}/cmdline").read_text() + Path(f"/proc/{os.getpid()}/cmdline").read_text()
    assert "nobody-reads-this" not in command

    monkeypatch.delenv("HF_TOKEN")
    told.stop()
    told.restart()
    again = las.get("told").wait_ready()
    assert "HF_TOKEN=nobody-reads-this" in environment_of(again.pid)


def test_another_value_for_a_server_that_runs_is_a_conflict_and_the_same_one_joins_it(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "the-first")
    first = las.start(server, env={"HF_TOKEN": None})
    assert las.start(server, env={"HF_TOKEN": None}).pid == first.pid

    monkeypatch.setenv("HF_TOKEN", "the-second")
    with pytest.raises(InstanceConflict) as conflict:
        las.start(server, env={"HF_TOKEN": None})

    assert conflict.value.cause == "these differ: HF_TOKEN"


def test_a_spec_of_an_older_version_restarts_and_its_secrets_move_out_of_it(server: Path) -> None:
    told = las.start(server)
    told.stop()
    spec = las.get("told")._stack.rooms.manager.spec("told")
    old: LaunchSpec = spec._replace(env={"DATABASE_URL": ADDRESS, "OPEN": "yes"})
    instance("spec.json").write_text(to_json(old) + "\n")

    told.restart()

    again = las.get("told").wait_ready()
    assert f"DATABASE_URL={ADDRESS}" in environment_of(again.pid)
    assert "OPEN=yes" in environment_of(again.pid)
    assert "SuperPw99" not in instance("spec.json").read_text()
    assert "SuperPw99" not in str(las.get("told").logs())


def test_what_is_forgotten_leaves_no_variable_behind(server: Path) -> None:
    las.start(server, env={"DATABASE_URL": ADDRESS}).stop()

    las.remove("told")

    left = [path for path in Path(os.environ["LAS_JUPYTER_STATE_DIR"]).rglob("*") if path.is_file()]
    assert not [path for path in left if "SuperPw99" in path.read_text(errors="replace")]
