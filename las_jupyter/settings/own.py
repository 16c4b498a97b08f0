"""The folder of the user's own settings, and that nobody else could have written what lies there."""

from __future__ import annotations

from pathlib import Path

from las_jupyter.core.errors import InvalidSettings
from las_jupyter.state.custody import Fault, fault_of, read_judged


def user_file() -> Path:
    """``$XDG_CONFIG_HOME/las_jupyter/las.toml`` or the platform's like."""
    import platformdirs

    return Path(platformdirs.user_config_dir("las_jupyter", appauthor=False)) / "las.toml"


def check_own(path: Path) -> None:
    """Raise ``InvalidSettings`` when somebody else could have written ``path``, or could put another in its place."""
    _believe(path, fault_of(str(path)))


def read_own(path: Path, most: int) -> bytes:
    """What ``path`` holds. Raises ``InvalidSettings`` as ``check_own`` does, ``OSError``."""
    try:
        data, fault = read_judged(str(path), most)
    except OSError:
        check_own(path)  # that others have a hand in it says more than that it cannot be read
        raise
    _believe(path, fault)
    return data


def _believe(path: Path, fault: Fault | None) -> None:
    if fault is not None:
        where = "" if fault.path == str(path) else f"{fault.path}: "
        raise InvalidSettings(
            f"{path} is not believed, for others could change it.", cause=f"{where}{fault.why}", remedy=fault.remedy
        )
