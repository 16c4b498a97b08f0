"""
Through whose hands a file has gone: what decides which programs run here must be out of everybody else's reach.

As ssh looks at keys and git at repositories: the file, and every folder and link that leads to it, belongs to us or to
root, and nobody else may write to it. Looked at from the home folder down, or from the root for what lies elsewhere.
Who owns what is above our home could do as he likes with us anyway.

``judge`` is the whole rule, on values. ``docs/decisions/0003`` says why it is as it is.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from typing import NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.state.files import plain, read_open

_ROOT = 0
_LINKS_AT_MOST = 40
"""As many as Linux itself follows in one path."""
_ACCESS_LIST = "system.posix_acl_access"


class Step(NamedTuple):
    """A folder, link or file on the way. ``listed``: an access list names further people who may use it."""

    path: str
    uid: int
    gid: int
    mode: int
    listed: bool = False


class Hands(NamedTuple):
    """Who we are. ``alone`` are groups in which there is nobody but us."""

    uid: int
    gid: int
    alone: frozenset[int] = frozenset()


class Fault(NamedTuple):
    """Where others have a hand in it, why, as a clause, and the command that ends it."""

    path: str
    why: str
    remedy: str


def judge(steps: tuple[Step, ...], hands: Hands) -> Fault | None:
    """What is wrong with ``steps``, the outermost first and the thing itself last; None when nothing is."""
    above: Step | None = None
    for step in steps:
        if not _ours(step, hands):
            return Fault(step.path, f"it belongs to user {step.uid}", _get_rid(step, above, hands))
        writers = "" if _guarded(step, last=step is steps[-1]) else _writers(step, hands)
        if writers:
            return Fault(step.path, f"{writers} may write to it", _close(step, writers, hands))
        above = step
    return None


def _ours(step: Step, hands: Hands) -> bool:
    if step.uid in (_ROOT, hands.uid):
        return True
    # Where containers run us under any number, all that is ours is given to group 0, which is root's to give.
    return hands.uid != _ROOT and hands.gid == step.gid == 0


def _guarded(step: Step, *, last: bool) -> bool:
    """A link cannot be written, and in a folder like /tmp nobody can move what is another's."""
    return stat.S_ISLNK(step.mode) or (not last and stat.S_ISDIR(step.mode) and bool(step.mode & stat.S_ISVTX))


def _writers(step: Step, hands: Hands) -> str:
    if step.mode & stat.S_IWOTH:
        return "everybody"
    if not step.mode & stat.S_IWGRP:
        return ""
    if step.listed:
        return "others, by its access list,"
    return "" if step.gid == 0 or step.gid in hands.alone else f"group {step.gid}"


def _get_rid(step: Step, above: Step | None, hands: Hands) -> str:
    if hands.uid == _ROOT and not stat.S_ISDIR(step.mode):
        return f"chown -h {hands.uid} {word(step.path)}"
    # Of root: a folder of somebody's, a home perhaps, which is not to be taken away.
    in_ours = hands.uid != _ROOT and above is not None and above.uid == hands.uid and not above.mode & stat.S_ISVTX
    return f"mv {word(step.path)} {word(step.path + '.theirs')}" if in_ours else f"ls -ld {word(step.path)}"


def _close(step: Step, writers: str, hands: Hands) -> str:
    if not stat.S_ISDIR(step.mode) and not stat.S_ISREG(step.mode):
        return f"ls -ld {word(step.path)}"  # a device is everybody's, and the system needs it so
    if step.listed and not step.mode & stat.S_IWOTH:
        command = f"setfacl -b {word(step.path)}"
    else:
        command = f"chmod {'go-w' if writers == 'everybody' else 'g-w'} {word(step.path)}"
    return command if step.uid == hands.uid or hands.uid == _ROOT else f"sudo {command}"


# ---- asking the machine


def fault_of(path: str, *, follow: bool = True) -> Fault | None:
    """
    What keeps ``path`` from deciding for us; None when nothing does, or when it is not there.

    Without ``follow`` a link at its end is judged itself, and not what it leads to.
    """
    try:
        steps = steps_to(path, follow=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Fault(path, f"it cannot be looked at: {error.strerror}", f"ls -ld {word(path)}")
    return judge(steps, _me(steps))


def read_judged(path: str, most: int) -> tuple[bytes, Fault | None]:
    """
    What the file ``path`` holds, and what keeps it from deciding for us.

    The file that was opened is judged with the way to it, so that nobody can have one judged and another read by
    exchanging them meanwhile. Raises ``OSError``.
    """
    fd = plain(path)
    try:
        return read_open(fd, path, most), _fault_of_open(fd, path)
    finally:
        os.close(fd)


def _fault_of_open(fd: int, path: str) -> Fault | None:
    try:
        steps = steps_to(path)
    except OSError as error:
        return Fault(path, f"it was exchanged while it was read: {error.strerror}", f"ls -ld {word(path)}")
    found = os.fstat(fd)
    listed = bool(found.st_mode & stat.S_IWGRP) and _has_list(fd)
    steps = (*steps, Step(path, found.st_uid, found.st_gid, found.st_mode, listed))
    return judge(steps, _me(steps))


def judge_for_root(path: str) -> Fault | None:
    """What keeps ``path`` from being root's alone: a rule of a site binds its writers as well."""
    try:
        return judge(steps_to(path), Hands(_ROOT, _ROOT))
    except OSError as error:
        return Fault(path, f"it cannot be looked at: {error.strerror}", f"ls -ld {word(path)}")


def fault_of_folder_for(path: str) -> Fault | None:
    """The same of the nearest folder above ``path`` that is there: where ``path`` would be made."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    steps = steps_to(folder)
    # What is made there is ours, so that a folder like /tmp will do.
    return judge((*steps, steps[-1]._replace(uid=os.geteuid(), mode=stat.S_IFDIR | 0o700)), _me(steps))


def closed_path(search_path: str | None = None) -> str:
    """
    The folders of PATH without those in which anybody may have put a program, or may put another folder.

    Nor is one among them that is named from the working folder: who cloned a repository wants none of its programs.
    Owners are not judged: clusters have software that belongs to the one who installs it.
    """
    folders = (os.environ.get("PATH", os.defpath) if search_path is None else search_path).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if os.path.isabs(folder) and not _open_to_all(folder))


def _open_to_all(folder: str) -> bool:
    try:
        steps = steps_to(folder)
    except OSError:
        return True
    return any(step.mode & stat.S_IWOTH and not _guarded(step, last=step is steps[-1]) for step in steps)


def steps_to(path: str, *, follow: bool = True) -> tuple[Step, ...]:
    """All that is gone through to reach ``path``, links and what they name included. Raises ``OSError``."""
    steps: list[Step] = []
    at, left = _begin(os.path.join(os.getcwd(), path), steps)
    links = 0
    while left:
        name = left.pop()
        if name == "..":
            at = os.path.dirname(at)
        if name in ("", ".", ".."):
            continue
        here = os.path.join(at, name)
        found = _look(here)
        steps.append(found)
        if not stat.S_ISLNK(found.mode) or not (follow or left):
            at = here
            continue
        links += 1
        if links > _LINKS_AT_MOST:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(here)
        if os.path.isabs(target):
            at, more = _begin(target, steps)
        else:
            more = target.split("/")[::-1]
        left += more
    return tuple(steps)


def _begin(path: str, steps: list[Step]) -> tuple[str, list[str]]:
    """Where to begin with an absolute path, that step taken, and the parts that are left, the next one last."""
    named = os.path.expanduser("~")
    home = _really(named)
    for top in (named, home):
        if len(top) > 1 and top[0] == "/" and (path == top or path.startswith(f"{top}/")):
            steps.append(_look(home))
            return home, path[len(top) :].split("/")[::-1]
    steps.append(_look("/"))
    return "/", path.split("/")[::-1]


@lru_cache(maxsize=4)
def _really(home: str) -> str:
    """Asked once: a home that moves under a running kernel is judged from the root, which is only stricter."""
    return os.path.realpath(home)


def _look(path: str) -> Step:
    found = os.lstat(path)
    # Only where the mode lets a group write can a list let anybody.
    listed = bool(found.st_mode & stat.S_IWGRP) and not stat.S_ISLNK(found.st_mode) and _has_list(path)
    return Step(path, found.st_uid, found.st_gid, found.st_mode, listed)


def _has_list(path: str | int) -> bool:
    try:
        return bool(os.getxattr(path, _ACCESS_LIST))
    except (OSError, AttributeError):  # no list, or a system without them
        return False


def _me(steps: tuple[Step, ...]) -> Hands:
    groups = {step.gid for step in steps if step.mode & stat.S_IWGRP and step.gid != 0}
    return Hands(os.geteuid(), os.getegid(), frozenset(group for group in groups if is_alone(group)))


def is_alone(group: int) -> bool:
    """
    Whether nobody but us and root is in ``group``, as on systems that give every user a group of his own.

    Where accounts come from a network that does not list them, a group counts only when it is called like us.
    """
    import grp
    import pwd

    try:
        me, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    if set(found.gr_mem) - {me.pw_name, "root"}:
        return False
    accounts = pwd.getpwall()
    if any(each.pw_gid == group and each.pw_uid not in (_ROOT, me.pw_uid) for each in accounts):
        return False
    listed = any(each.pw_uid == me.pw_uid for each in accounts)
    return found.gr_name == me.pw_name or (listed and (me.pw_gid == group or me.pw_name in found.gr_mem))
