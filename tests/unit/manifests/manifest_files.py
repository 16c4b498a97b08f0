"""The user's folder of manifests, as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_texts import Write

from las_jupyter.settings.files import user_file


@pytest.fixture
def write() -> Write:
    """Put a manifest into the user's folder."""

    def put(text: str, file: str = "mine.yaml") -> Path:
        path = user_file().with_name("manifests") / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put
