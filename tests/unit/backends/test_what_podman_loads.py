"""A supervisor of a Podman container carries nothing of Docker's."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("docker", "requests", "urllib3", "httpx", "pydantic")


def test_podmans_backend_loads_no_client_of_dockers() -> None:
    look = f"import sys, las_jupyter.backends.podman; print([each for each in {HEAVY} if each in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout

    assert loaded.strip() == "[]"
