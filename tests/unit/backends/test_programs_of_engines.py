"""Programs that the container engines are asked by come from where not everybody may have put them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from las_jupyter.backends.oci import EngineUnreachable
from las_jupyter.backends.podman import PodmanEngine


def test_a_podman_that_anybody_may_have_put_there_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, canary = tmp_path / "open", tmp_path / "canary"
    place.mkdir()
    (place / "podman").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (place / "podman").chmod(0o755)
    place.chmod(0o777)
    monkeypatch.setenv("PATH", os.pathsep.join([str(place), "."]))
    monkeypatch.chdir(place)
    engine = PodmanEngine()

    lacking = engine.why_unavailable()

    assert lacking is not None and lacking.reason == "Podman is not installed"
    with pytest.raises(EngineUnreachable):
        engine.kill("any", "SIGTERM")
    with pytest.raises(EngineUnreachable):
        engine.pull("any", lambda progress: None)
    assert not canary.exists()
