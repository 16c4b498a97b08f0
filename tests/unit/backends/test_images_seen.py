"""What an image's name meant at the last start is kept, and what it meant before that."""

from __future__ import annotations

from las_jupyter.backends.oci_seen import Seen, remember, seen

ONE, OTHER = "r/a@sha256:1", "r/a@sha256:2"


def test_a_name_that_becomes_another_image_is_known_by_both(tmp_path):
    state = str(tmp_path)

    remember(state, "r/a:latest", ONE)
    remember(state, "r/a:latest", ONE)
    assert seen(state, "r/a:latest") == Seen("r/a:latest", ONE)

    remember(state, "r/a:latest", OTHER)
    remember(state, "r/a:latest", OTHER)
    assert seen(state, "r/a:latest") == Seen("r/a:latest", OTHER, ONE)
    assert seen(state, "r/b:latest") == Seen("r/b:latest")


def test_what_cannot_become_another_is_not_noted(tmp_path):
    remember(str(tmp_path), ONE, ONE)
    remember(str(tmp_path), "own:1", "sha256:abc")

    assert list(tmp_path.iterdir()) == []


def test_a_note_that_is_damaged_or_cannot_be_written_stops_nothing(tmp_path):
    remember(str(tmp_path), "r/a:latest", ONE)
    next((tmp_path / "images").iterdir()).write_text("{")
    assert seen(str(tmp_path), "r/a:latest").exact == ""

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "images").write_text("a file, no folder")
    remember(str(tmp_path / "full"), "r/a:latest", ONE)
