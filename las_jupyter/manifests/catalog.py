"""All manifests known here, each with its origin and whether it is trusted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from las_jupyter.core.errors import LasError, UnknownModule
from las_jupyter.manifests.load import parse_manifest
from las_jupyter.manifests.trust import content_hash, standing

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest

BUNDLED = Path(__file__).with_name("bundled")


class Entry(NamedTuple):
    """One manifest with where it came from. ``standing`` says why it is trusted or not."""

    manifest: Manifest
    origin: str
    path: Path
    trusted: bool
    standing: str
    content_hash: str


class Catalog:
    """The entries, later origins behind earlier ones; ``problems`` are files that could not be read."""

    def __init__(self, entries: Iterable[Entry], problems: Iterable[LasError] = ()) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: entry.manifest.name))
        self.problems = tuple(problems)

    def find(self, reference: str) -> Entry:
        """
        The entry for ``name``, ``name@VERSION`` or ``name@>=1.2`` (the newest that fits), or for a manifest's path.

        Raises ``UnknownModule`` naming the nearest, ``InvalidManifest``.
        """
        if os.sep in reference or reference.endswith((".yaml", ".yml")):
            return read_entry(Path(reference).expanduser(), "file")
        name, _, wanted = reference.partition("@")
        found = [entry for entry in self.entries if entry.manifest.name == name]
        if not found:
            raise self._unknown(name)
        fitting = [entry for entry in found if not wanted or _fits(entry.manifest.version, wanted)]
        if not fitting:
            versions = ", ".join(entry.manifest.version for entry in found)
            raise UnknownModule(
                f"No version of {name} fits {wanted}.", cause=f"there is {versions}", remedy="%las modules"
            )
        return max(fitting, key=lambda entry: (_order(entry.manifest.version), entry.origin != "bundled"))

    def _unknown(self, name: str) -> UnknownModule:
        names = sorted({entry.manifest.name for entry in self.entries})
        near = difflib.get_close_matches(name, names, 1, 0.5)
        return UnknownModule(
            f"There is no module {name!r}.",
            cause=f"known are {', '.join(names)}",
            remedy=f"did you mean {near[0]}?" if near else "%las modules",
        )


def _order(version: str) -> Any:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _fits(version: str, wanted: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return _order(version) in SpecifierSet(wanted if wanted[0] in "<>=!~" else f"=={wanted}", prereleases=True)
    except InvalidSpecifier:
        return version == wanted


def load_catalog(settings: Any = None) -> Catalog:
    """The bundled manifests, then the user's folder, then ``manifests.paths``. A broken file breaks only itself."""
    entries, problems = list(bundled()), []
    for path in _user_files(settings):
        try:
            entries.append(read_entry(path, "user"))
        except LasError as problem:
            problems.append(problem)
    return Catalog(entries, problems)


@lru_cache(maxsize=1)
def bundled() -> tuple[Entry, ...]:
    """The manifests that come with the package; they cannot change while it runs."""
    return tuple(_bundled())


def _bundled() -> Iterator[Entry]:
    for path in sorted(BUNDLED.glob("*/manifest.yaml")):
        data = path.read_bytes()
        yield Entry(parse_manifest(data, str(path)), "bundled", path, True, "it is bundled", content_hash(data))


def read_entry(path: Path, origin: str) -> Entry:
    """The entry of one file. Raises ``InvalidManifest``, ``UnknownModule``."""
    if not path.is_file():
        raise UnknownModule(f"There is no manifest {path}.", remedy="%las modules")
    data = path.read_bytes()
    trusted, why = standing(path, data)
    return Entry(parse_manifest(data, str(path)), origin, path, trusted, why, content_hash(data))


def _user_files(settings: Any) -> Iterator[Path]:
    from las_jupyter.settings.files import user_file

    places = [user_file().with_name("manifests")]
    if settings is not None:
        places += [Path(path).expanduser() for path in settings.manifests.paths]
    for place in places:
        if place.is_file():
            yield place
        elif place.is_dir():
            yield from sorted({*place.glob("*/manifest.yaml"), *place.glob("*.yaml"), *place.glob("*.yml")})
