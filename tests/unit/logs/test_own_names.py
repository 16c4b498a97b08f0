"""Forgetting logs, trimming them, and everything in their folder that is somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from las_jupyter.core.launch import LogRule
from las_jupyter.logs.forgetting import forget_logs, not_of_a_log
from las_jupyter.logs.names import is_log, is_of_a_log
from las_jupyter.logs.writer import LogStore, logs_of

STAMP = "20260801T120000Z"
OURS = [f"0001-{STAMP}.log", f"0001-{STAMP}.log.idx", f"0001-{STAMP}.log.cursor", f"12345-{STAMP}-2.log",
        f"0001-{STAMP}.log.cursor.4711.tmp"]  # fmt: skip
NEAR = ["2024-notes.log", "0001-.log", "main.c", "0001.log", f"001-{STAMP}.log", f"0001-{STAMP}.log.bak", "lock",
        f"0001-{STAMP}-x.log", f"0001-{STAMP}-1-1.log", f"0001-{STAMP}", f"0001-{STAMP}.LOG", f" 0001-{STAMP}.log",
        f"0001-{STAMP}.log.idx.idx", f"٠٠٠١-{STAMP}.log", "-.log", ".log", "000000000000000", f"0001-{STAMP}.log\n",
        f"0001-{STAMP}.log.tmp", f"0001-{STAMP}.log.x.tmp"]  # fmt: skip

names = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
) | st.sampled_from(NEAR)


@pytest.mark.parametrize("name", OURS)
def test_what_we_write_is_ours(tmp_path, name):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / name).write_text("x")

    assert not_of_a_log(str(tmp_path / "logs")) == []
    assert forget_logs(str(tmp_path / "logs")) == ()
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("name", NEAR)
def test_what_only_looks_like_it_is_not(name):
    assert not is_log(name)


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@given(st.dictionaries(names, st.none() | st.dictionaries(names, st.just("theirs"), max_size=3), max_size=6))
@example({f"0001-{STAMP}.log": {"main.c": "theirs", "000000000000001": "theirs"}})
def test_foreign_files_of_any_name_survive_that_an_instance_is_forgotten(tmp_path_factory, foreign):
    folder = tmp_path_factory.mktemp("log_dir") / "chat"
    folder.mkdir()
    for name in OURS:
        (folder / name).write_text("ours")
    for name, inside in foreign.items():
        if inside is None:
            (folder / name).write_text("theirs") if not (folder / name).exists() else None
        elif not (folder / name).exists():
            (folder / name).mkdir()
            for inner, text in inside.items():
                (folder / name / inner).write_text(text)
    theirs = {path: text for path, text in tree(folder).items() if text == "theirs"}

    stays = forget_logs(str(folder))

    left = tree(folder) if folder.exists() else {}
    assert "ours" not in left.values()
    assert left == {path: text for path, text in theirs.items() if not _is_a_piece(path)}
    assert bool(stays) == folder.exists()


def _is_a_piece(path: str) -> bool:
    log, _, piece = path.partition("/")
    return is_log(log) and len(piece) == 15 and piece.isascii() and piece.isdigit()


@pytest.mark.parametrize("name", [f"0001-{STAMP}.log", f"0001-{STAMP}.log.idx"])
def test_a_link_is_never_followed_and_never_removed(tmp_path, name):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "000000000000000").write_text("theirs")
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / name).symlink_to(precious)

    assert forget_logs(str(tmp_path / "chat")) == (str(tmp_path / "chat" / name),)
    assert tree(precious) == {"000000000000000": "theirs"}


def test_a_folder_that_is_a_link_is_left_alone(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / OURS[0]).write_text("x")
    (tmp_path / "chat").symlink_to(tmp_path / "real")

    assert forget_logs(str(tmp_path / "chat")) == (str(tmp_path / "chat"),)
    assert (tmp_path / "real" / OURS[0]).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a program of somebody else")
def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / OURS[0]).write_text("x")
    os.chown(tmp_path / "chat", 54321, 54321)

    assert forget_logs(str(tmp_path / "chat")) == (str(tmp_path / "chat"),)
    assert (tmp_path / "chat" / OURS[0]).exists()


def test_what_is_gone_already_is_no_trouble(tmp_path):
    assert forget_logs(str(tmp_path / "nothing")) == ()


def test_trimming_old_starts_touches_no_file_of_a_person(tmp_path):
    theirs = ["2024-notes.log", "1-summary.log", "0001-x.log"]
    for name in theirs:
        (tmp_path / name).write_text("theirs")
    store = LogStore(str(tmp_path), LogRule(keep_starts=1))
    for number in range(1, 5):
        _, fd = store.open(number, STAMP)
        os.close(fd)

    assert [Path(path).name for path in logs_of(str(tmp_path))] == [f"0004-{STAMP}.log"]
    assert {name for name in os.listdir(tmp_path) if not is_of_a_log(name)} == set(theirs)
