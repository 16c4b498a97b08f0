"""A database that is stopped, forgotten and started again opens its data; deleting the data is asked for twice."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import las_jupyter as las
from las_jupyter.core.errors import BadRequest, InstanceConflict, LasError, NoSuchInstance
from las_jupyter.core.states import ProcessState

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]

DATABASE = """
import http.server, os, pathlib, sys
kept, given = pathlib.Path(sys.argv[2], "password"), os.environ["DB_PASSWORD"]
if kept.exists() and kept.read_text() != given:
    sys.exit("FATAL: password authentication failed")
kept.write_text(given)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A manifest of a server that stores its password in its data at its first start, as PostgreSQL does."""
    script, manifest = tmp_path / "database.py", tmp_path / "manifest.yaml"
    script.write_text(DATABASE)
    manifest.write_text(
        "name: db\nruntime: {modes: [native]}\nports: [{default: 18765}]\n"
        f"launch:\n  native: {{argv: [{sys.executable}, {script}, '{{port}}', '{{data_dir}}']}}\n"
        "  secrets: {password: {env: DB_PASSWORD}}\nhealth: {ready: {http: {path: /}}}\n"
    )
    las.trust(manifest)
    return manifest


def state(*parts: str) -> Path:
    return Path(os.environ["LAS_JUPYTER_STATE_DIR"], *parts)


def test_a_forgotten_database_opens_its_data_when_it_is_started_again(database):
    las.start(database).stop()
    before = state("data", "db", "password").read_text()

    said = las.remove("db")

    assert str(state("data", "db")) in said
    assert "%las rm db --data" in said
    key = state("keys", "db.json")
    assert json.loads(key.read_text()) == {"password": before}
    assert key.stat().st_mode & 0o777 == 0o600
    assert las.start(database).state is ProcessState.RUNNING
    assert state("data", "db", "password").read_text() == before


def test_deleting_data_needs_a_yes_and_says_what_would_be_gone(database):
    las.start(database).stop()

    with pytest.raises(BadRequest) as caught:
        las.remove("db", data=True)

    assert str(state("data", "db")) in (caught.value.cause or "")
    assert caught.value.remedy == "%las rm db --data --yes"
    assert state("data", "db", "password").exists()
    assert las.get("db").state is ProcessState.STOPPED


def test_data_and_key_are_deleted_together(database):
    las.start(database).stop()
    before = state("data", "db", "password").read_text()

    assert "its data is deleted" in las.remove("db", data=True, yes=True)

    assert not state("data", "db").exists()
    assert not state("keys", "db.json").exists()
    las.start(database)
    assert state("data", "db", "password").read_text() != before


def test_data_of_an_instance_that_was_forgotten_can_be_deleted_later(database):
    las.start(database).stop()
    las.remove("db")

    las.remove("db", data=True, yes=True)

    assert not state("data", "db").exists()
    assert not state("keys", "db.json").exists()
    with pytest.raises(NoSuchInstance):
        las.remove("db", data=True, yes=True)


def test_data_of_a_running_instance_is_not_deleted(database):
    las.start(database)

    with pytest.raises(InstanceConflict):
        las.remove("db", data=True, yes=True)

    assert state("data", "db", "password").exists()


def test_data_that_was_moved_elsewhere_by_a_link_is_not_followed(database, tmp_path):
    las.start(database).stop()
    elsewhere = tmp_path / "big-disk"
    state("data", "db").rename(elsewhere)
    state("data", "db").symlink_to(elsewhere)

    with pytest.raises(LasError, match="The data of db was not deleted") as caught:
        las.remove("db", data=True, yes=True)

    assert (elsewhere / "password").exists()
    assert las.get("db").state == "stopped", "what is still there is still known, and can be opened"
    assert str(elsewhere) in (caught.value.cause or "")


def test_a_folder_that_was_there_before_is_used_and_never_deleted(database):
    state("data", "db").mkdir(parents=True)
    (state("data", "db") / "thesis.tex").write_text("years of work")
    las.start(database).stop()

    with pytest.raises(LasError, match="The data of db was not deleted") as caught:
        las.remove("db", data=True, yes=True)

    assert "was not made by las_jupyter" in (caught.value.cause or "")
    assert (state("data", "db") / "thesis.tex").read_text() == "years of work"


def test_nobody_is_asked_for_a_yes_that_changes_nothing(database):
    state("data", "db").mkdir(parents=True)
    (state("data", "db") / "thesis.tex").write_text("years of work")
    las.start(database).stop()

    with pytest.raises(LasError, match="The data of db was not deleted"):
        las.remove("db", data=True)

    assert las.get("db").logs(), "nor is anything forgotten by the half"


def test_another_folder_in_the_place_of_its_data_is_not_deleted(database, tmp_path):
    las.start(database).stop()
    state("data", "db").rename(tmp_path / "db")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years of work")
    (tmp_path / "work").rename(state("data", "db"))

    with pytest.raises(LasError, match="was not deleted"):
        las.remove("db", data=True, yes=True)

    assert (state("data", "db") / "thesis.tex").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_what_is_mounted_in_its_data_is_not_deleted(database, tmp_path):
    las.start(database).stop()
    inside, work = state("data", "db", "big disk"), tmp_path / "work"
    inside.mkdir()
    work.mkdir()
    (work / "thesis.tex").write_text("years of work")
    if subprocess.run(["mount", "--bind", work, inside], check=False).returncode:
        pytest.skip("only root can mount")
    try:
        with pytest.raises(LasError, match="was not deleted") as caught:
            las.remove("db", data=True, yes=True)
        assert f"something is mounted at {inside}" in (caught.value.cause or "")
        assert (work / "thesis.tex").exists()
    finally:
        subprocess.run(["umount", inside], check=True)


def test_the_verb_says_what_it_left(tmp_path):
    las.start("http-echo", port=0).stop()
    (state("logs", "http-echo") / "notes.txt").write_text("mine")

    assert "notes.txt is not ours and stays where it is" in las.remove("http-echo")
    assert (state("logs", "http-echo") / "notes.txt").exists()


def test_a_module_without_data_leaves_no_key_behind():
    las.start("http-echo", port=0).stop()
    said = las.remove("http-echo")

    assert said == "http-echo is forgotten, and its logs are deleted."
    assert not state("keys").exists()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_a_real_redis_keeps_its_values_and_its_password():
    server = las.start("redis", port=0)
    password = server.password
    assert password is not None
    assert server.url == f"redis://127.0.0.1:{server.port}"
    assert b"+OK" in _told(server.port, password, "SET answer 42", "SAVE")
    server.stop()
    las.remove("redis")

    again = las.start("redis", port=0)

    assert again.password == password
    assert b"42" in _told(again.port, password, "GET answer")


def _told(port: int | None, password: str, *commands: str) -> bytes:
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (f"AUTH {password}", *commands, "QUIT")).encode())
        said = b""
        while got := connection.recv(4096):
            said += got
    return said
