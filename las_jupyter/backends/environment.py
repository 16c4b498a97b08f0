"""What of the environment a native module gets."""

from __future__ import annotations

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.surroundings import is_withheld

NOTEBOOKS = ("JPY_", "JUPYTERHUB_", "VSCODE_", "PYDEVD_", "LAS_JUPYTER_")
_DROPPED_NAMES = frozenset(
    {"MPLBACKEND", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "FORCE_COLOR", "CLICOLOR_FORCE", "GIT_PAGER", "PAGER"}
)
_GPU_NAMES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ONEAPI_DEVICE_SELECTOR")


def environment(base: dict[str, str], spec: LaunchSpec, secrets: dict[str, str]) -> dict[str, str]:
    """
    ``base`` without what belongs to the notebook and what are its secrets, then GPU visibility, the server's own
    secrets and what the spec adds.

    A nested kernel would watch the wrong parent, matplotlib would look for a notebook, a server has no use for the
    keys of a hub or a cloud, and a GPU nobody asked for must not be seen.
    """
    kept = {
        name: value
        for name, value in base.items()
        if not name.startswith(NOTEBOOKS)
        and name not in _DROPPED_NAMES
        and not is_withheld(name, value, serves_model=spec.model is not None)
    }
    kept["PYTHONUNBUFFERED"] = "1"  # or the last words of a dying Python stay in its buffer
    ids = ",".join(spec.gpus.ids)
    if ids != "all":
        for name in _GPU_NAMES[:3]:
            kept[name] = ids
    if spec.gpus.vendor == "amd" and ids:
        # ROCR hides the others first, and HIP counts what is left from 0.
        kept["HIP_VISIBLE_DEVICES"] = kept["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, range(len(spec.gpus.ids))))
    for use in spec.secrets:
        if use.env and use.name in secrets:
            kept[use.env] = secrets[use.name]
    kept.update(spec.env)
    return kept
