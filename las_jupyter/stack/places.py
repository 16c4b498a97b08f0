"""Where a path that was typed leads to, and what of this machine is guarded."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from las_jupyter.planning.shared_places import Guarded, Kind, Place, guarded
from las_jupyter.settings.files import user_file

_KINDS: tuple[tuple[Callable[[int], bool], Kind], ...] = (
    (stat.S_ISREG, Kind.FILE),
    (stat.S_ISDIR, Kind.FOLDER),
    (stat.S_ISSOCK, Kind.SOCKET),
    (stat.S_ISFIFO, Kind.PIPE),
)


def look_at(typed: str) -> Place:
    """The place that ``typed`` means. It is not opened, so that nothing behind it is woken."""
    written_out = os.path.expanduser(typed)  # noqa: PTH111 - Path's raises for a user who is not there
    try:
        path = os.path.realpath(written_out)
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        with suppress(ValueError):
            return Place(written_out, os.path.realpath(written_out), Kind.MISSING)
        return Place(written_out, written_out, Kind.MISSING)
    kind = next((kind for is_it, kind in _KINDS if is_it(mode)), Kind.DEVICE)
    return Place(written_out, path, kind)


def guarded_here(state_dir: str) -> tuple[Guarded, ...]:
    """All that is guarded for whoever asks, each also where a link of that name leads to."""
    homes = {os.path.expanduser("~")}  # noqa: PTH111 - as above
    with suppress(KeyError):
        homes.add(pwd.getpwuid(os.getuid()).pw_dir)
    kept = guarded(sorted(homes), (state_dir, str(user_file().parent)), os.environ.get("XDG_RUNTIME_DIR", ""))
    real = (each._replace(path=os.path.realpath(each.path)) for each in kept)
    return (*kept, *(each for each in real if each not in kept))
