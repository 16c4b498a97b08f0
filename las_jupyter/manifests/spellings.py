"""
How images, users, programs and models are written in a manifest, so that none of them can be anything else.

An image that begins with a dash would be an option of Podman, a program with a slash somebody's file, a default model
with one a path of this machine. Each function returns what was written, or raises ``ValueError`` with a clause.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LONGEST_NAME = 255
"""Letters of an image's name, as registries bound it."""
_LARGEST_ID = 2**31 - 1
"""Engines count users and groups no further."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
IMAGE = (
    rf"(?P<name>(?:{_HOST}(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,128})?"
)
"""The grammar of references of the OCI distribution: name, tag, digest."""
TRANSPORTS = frozenset(
    {
        *("atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon", "oci", "oci-archive"),
        *("ostree", "sif", "tarball"),
    }
)
"""Before a colon these make Podman read a file of this machine instead of asking a registry."""
USER = r"[0-9]{1,10}|[a-z_][a-z0-9_-]{0,31}"
PROGRAM = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
DEFAULT_MODEL = (
    r"[A-Za-z0-9][A-Za-z0-9._-]*"
    r"|pypi:[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+/[^/\s]\S*"
    r"|hf:[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(?:@[A-Za-z0-9_.-]+)?(?:/[^/\s]\S*)?"
)


class User(NamedTuple):
    """Who a container runs as: numbers or names; ``group`` is empty where only the user was written."""

    user: str
    group: str = ""

    @property
    def is_root(self) -> bool:
        """Whether it is root in any spelling."""
        return _is_root(self.user)

    @property
    def in_roots_group(self) -> bool:
        """Whether the group that was written is root's."""
        return _is_root(self.group)

    def __str__(self) -> str:
        return ":".join(each for each in (_plainly(self.user), _plainly(self.group)) if each)


def parse_user(text: str) -> User:
    """``UID``, ``UID:GID`` or names for them. Raises ``ValueError``."""
    user, colon, group = text.partition(":")
    for part in (user, group) if colon else (user,):
        if not re.fullmatch(USER, part) or (part.isdigit() and int(part) > _LARGEST_ID):
            raise ValueError(f"{text[:60]!r} is not keep, UID, UID:GID, or a user's name such as app or app:app")
    return User(user, group)


def user(text: str) -> str:
    """``keep``, or who it is."""
    if text != "keep":
        parse_user(text)
    return text


def image(text: str) -> str:
    """A reference as registries know it."""
    found = re.fullmatch(IMAGE, text) if len(text) <= 2 * _LONGEST_NAME else None
    if found is None or len(found["name"]) > _LONGEST_NAME:
        raise ValueError(f"{text[:60]!r} is no image; it is written like docker.io/library/redis:7-alpine")
    if found["name"] in TRANSPORTS and text != found["name"]:
        raise ValueError(f"{text[:60]!r} is a file of this machine to Podman; write docker.io/library/{text[:60]}")
    return text


def program(text: str) -> str:
    """The bare name of a program; where it is, the settings of the machine say."""
    if not re.fullmatch(PROGRAM, text):
        raise ValueError(f"{text[:60]!r} is not the bare name of a program; a path belongs into engines.<module>.path")
    return text


def default_model(text: str) -> str:
    """The model that is taken when none is named: never a path, for it is not the user who writes it."""
    if not re.fullmatch(DEFAULT_MODEL, text) or ".." in text.split("/"):
        raise ValueError(
            f"{text[:60]!r} is not a model's name, pypi:PACKAGE==VERSION/FILE or hf:ORG/REPO/FILE;"
            " a manifest names no path of this machine"
        )
    return text


def _is_root(part: str) -> bool:
    return part == "root" or (part.isdigit() and int(part) == 0)


def _plainly(part: str) -> str:
    return str(int(part)) if part.isdigit() else part
