"""Where the state of every instance lies. The layout is a promise: see docs/files.md."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import BadRequest, LasError
from las_jupyter.state.custody import Fault, fault_of
from las_jupyter.state.files import make_folders

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST_NAME = 63
_LONGEST_ADDRESS = 100
"""A Unix socket's path holds 104 bytes on macOS and 108 on Linux, the closing zero included."""

_OF_SESSIONS = "/run/user"


class UnsafeFolder(LasError):
    """A folder of ours could be written by somebody else, or is a link."""


def fits(path: str) -> bool:
    """Whether the kernel takes ``path`` as a socket's address, as it is."""
    return len(os.fsencode(path)) <= _LONGEST_ADDRESS


def check_name(name: str) -> str:
    """``name`` if it can name an instance. Raises ``BadRequest``."""
    good = 0 < len(name) <= _LONGEST_NAME and set(name) <= _ALLOWED and name[0].isalnum()
    if not good:
        raise BadRequest(
            f"{name!r} cannot name an instance.",
            cause="a name begins with a letter or digit and has at most 63 of a-z, 0-9, dot, dash and underscore",
            remedy="--name " + ("".join(c if c in _ALLOWED else "-" for c in name.lower()).strip("-._")[:63] or "chat"),
        )
    return name


class StatePaths(NamedTuple):
    """The files of all instances below ``state_dir``; logs below ``log_dir``."""

    state_dir: str
    log_dir: str

    @property
    def instances(self) -> str:
        return os.path.join(self.state_dir, "instances")

    def instance(self, name: str) -> str:
        return os.path.join(self.instances, check_name(name))

    def spec(self, name: str) -> str:
        return os.path.join(self.instance(name), "spec.json")

    def state(self, name: str) -> str:
        return os.path.join(self.instance(name), "state.json")

    def events(self, name: str) -> str:
        return os.path.join(self.instance(name), "events.jsonl")

    def lock(self, name: str) -> str:
        return os.path.join(self.instance(name), "lock")

    def start_lock(self, name: str) -> str:
        return os.path.join(self.instance(name), "start.lock")

    def secrets(self, name: str) -> str:
        return os.path.join(self.instance(name), "secrets.json")

    def data(self, name: str) -> str:
        return os.path.join(self.state_dir, "data", check_name(name))

    def kept_secrets(self, name: str) -> str:
        """The secrets that belong to data whose instance is forgotten; beside it, since some want an empty folder."""
        return os.path.join(self.state_dir, "keys", f"{check_name(name)}.json")

    @property
    def gpu_lock(self) -> str:
        """Held while GPUs are looked at and given away, by whichever client does it."""
        return os.path.join(self.state_dir, "gpus.lock")

    def logs(self, name: str) -> str:
        return os.path.join(self.log_dir, check_name(name))

    def socket(self, name: str) -> str:
        """The control socket, by a path of any length: see ``state.sockets``."""
        path = os.path.join(self.instance(name), "control.sock")
        if fits(path) or os.path.lexists(path):
            return path
        return _of_older(self.instance(name)) or path

    def pipe(self, name: str) -> str:
        """What a pumped log comes through; beside the control socket, where there can be such things."""
        return self.socket(name).removesuffix(".sock") + ".pipe"


def _short(text: str) -> str:
    # FNV-1a: stable between processes, and hashlib would bring OpenSSL into every supervisor.
    value = 0xCBF29CE484222325
    for byte in os.fsencode(text):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def _of_older(instance: str) -> str | None:
    """Where a supervisor of an older version, with too long a path, listens, if there is one."""
    bases = (os.environ.get("XDG_RUNTIME_DIR"), os.path.join(_OF_SESSIONS, str(os.getuid())))
    folders = (*(os.path.join(base, "las_jupyter") for base in bases if base), f"/tmp/las-{os.getuid()}")  # noqa: S108
    known = (os.path.join(folder, f"{_short(instance)}.sock") for folder in folders if _is_private(folder))
    return next((found for found in known if os.path.lexists(found)), None)


def _is_private(folder: str) -> bool:
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and fault_of(folder) is None


def make_private(folder: str, setting: str = "LAS_JUPYTER_STATE_DIR") -> None:
    """
    Make ``folder``, and what is missing above it, with mode 0700.

    Raises ``UnsafeFolder`` when it cannot be, is a link, or others could write to it or put another in its place.
    ``setting`` is what names another folder.
    """
    try:
        make_folders(folder)
    except OSError as error:
        raise UnsafeFolder(
            f"{folder} cannot be made.",
            cause=f"{os.strerror(error.errno or 0)} ({folder})",
            remedy=f"name another folder with {setting}",
        ) from error
    fault = fault_of(folder) or _of_itself(folder)
    if fault is not None:
        raise UnsafeFolder(
            f"{folder} is not safe to keep anything in.",
            cause=f"{fault.path}: {fault.why}" if fault.path != folder else fault.why,
            remedy=f"{_cure(folder, fault)}, or name another folder with {setting}",
        )


def check_unmoved(folder: str) -> None:
    """Raise ``UnsafeFolder`` when a folder of ours is a link now, or somebody else's."""
    try:
        fault = _of_itself(folder)
    except OSError:
        return  # what is not there holds nothing
    if fault is not None:
        raise UnsafeFolder(f"What lies in {folder} is not believed.", cause=fault.why, remedy=fault.remedy)


def _cure(folder: str, fault: Fault) -> str:
    """Of a folder of our own it is better advice to close it altogether."""
    return f"chmod 700 {word(folder)}" if fault.path == folder and "chmod" in fault.remedy else fault.remedy


def _of_itself(folder: str) -> Fault | None:
    """A folder that we write to must be ours and no link, where one that we only read may be root's."""
    found = os.lstat(folder)
    if stat.S_ISLNK(found.st_mode):
        return Fault(folder, f"it is a link to {os.readlink(folder)}", f"ls -ld {word(folder)}")
    if found.st_uid != os.getuid():
        return Fault(folder, f"it belongs to user {found.st_uid}", f"ls -ld {word(folder)}")
    return None


def default_paths(log_dir: str | None = None) -> StatePaths:
    """``LAS_JUPYTER_STATE_DIR``, else the platform's folder for a user's state; made with mode 0700."""
    state_dir = os.environ.get("LAS_JUPYTER_STATE_DIR")
    if not state_dir:
        import platformdirs

        state_dir = platformdirs.user_state_dir("las_jupyter", appauthor=False)
    state_dir = os.path.abspath(os.path.expanduser(state_dir))
    make_private(state_dir)
    return StatePaths(state_dir, os.path.abspath(os.path.expanduser(log_dir or os.path.join(state_dir, "logs"))))
