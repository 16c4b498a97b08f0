"""What an engine's inspection of a container says, in our words; Docker's and Podman's are alike."""

from __future__ import annotations

from typing import Any

from las_jupyter.backends.oci import ContainerFacts


def facts(inspected: dict[str, Any]) -> ContainerFacts:
    """What the engine's inspection says, in our words."""
    state = inspected.get("State") or {}
    health = state.get("Health") or {}
    last = (health.get("Log") or [{}])[-1]
    return ContainerFacts(
        id=inspected["Id"],
        name=str(inspected.get("Name", "")).lstrip("/"),
        status=str(state.get("Status", "")),
        labels=(inspected.get("Config") or {}).get("Labels") or {},
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        oom=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        health=str(health.get("Status") or ""),
        health_text=str(last.get("Output") or "").strip(),
    )
