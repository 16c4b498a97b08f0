"""Versions of modules, and which of them a reference such as ``qdrant@>=1.2`` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.version import Version


class Wanted(NamedTuple):
    """A module's name, and what is wanted of its version (empty: anything)."""

    name: str
    version: str = ""


def parse_wanted(text: str) -> Wanted:
    """``qdrant``, ``qdrant@1.2`` or ``qdrant@>=1.2,<2``."""
    name, _, version = text.partition("@")
    return Wanted(name.strip(), version.strip())


def order(version: str) -> Version:
    """Something to compare versions by; one that is no version is older than all."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return Version("0.dev0")


def fits(version: str, wanted: str) -> bool:
    """Whether ``version`` is what ``wanted`` asks for; a bare version asks for exactly it."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if not wanted or version == wanted:
        return True
    try:
        constraint = SpecifierSet(wanted if wanted[0] in "<>=!~" else f"=={wanted}", prereleases=True)
    except InvalidSpecifier:
        return False
    return order(version) in constraint
