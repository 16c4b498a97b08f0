"""All manifests known here, each with its origin and whether it is trusted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from las_jupyter.core.advice import word
from las_jupyter.core.errors import InvalidManifest, LasError, PlanRefused, UnknownModule
from las_jupyter.core.launch import Provenance
from las_jupyter.core.states import Trust
from las_jupyter.manifests import versions
from las_jupyter.manifests.load import parse_manifest, read_file
from las_jupyter.manifests.trust import BUNDLED, Pin, content_hash, pins, standing
from las_jupyter.settings.own import check_own, user_file

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Manifest

BUNDLED_FOLDER = Path(__file__).with_name("bundled")


class Entry(NamedTuple):
    """
    One manifest with where it came from: ``bundled``, ``user`` (the configuration folder or ``manifests.paths``) or
    ``file`` (named in the request).

    ``standing`` says why it is trusted or not; ``changes`` are the lines that differ from what was trusted.
    """

    manifest: Manifest
    origin: str
    path: Path
    trusted: bool
    standing: str
    content_hash: str
    changes: tuple[str, ...] = ()

    @property
    def how_to_trust(self) -> str:
        """The advice that lets it run natively, with its whole path: that is no option, and the same everywhere."""
        return f"read the file, then %las trust {word(self.path.absolute())}"

    @property
    def provenance(self) -> Provenance:
        """What of this travels with a plan and its instance."""
        sure = Trust.BUNDLED if self.origin == "bundled" else Trust.TRUSTED
        trust = sure if self.trusted else Trust.UNTRUSTED
        return Provenance(trust, str(self.path.absolute()), self.content_hash, self.standing)


class Catalog:
    """The entries by name; ``problems`` are files that could not be used."""

    def __init__(self, entries: Iterable[Entry], problems: Iterable[LasError] = ()) -> None:
        self.entries = tuple(sorted(entries, key=_place))
        self.problems = tuple(problems)
        self._owned = frozenset(entry.manifest.name for entry in self.entries if entry.trusted)

    def find(self, reference: str) -> Entry:
        """
        The entry for ``name``, ``name@VERSION`` or ``name@>=1.2``, or for a manifest's path.

        A name is of the bundled and the trusted manifests first: whoever is neither has it only where they leave it,
        whatever its version, and is reached by its path. Of several, one that says how to start it, then the newest,
        then the user's own. Raises ``UnknownModule`` naming the nearest, ``InvalidManifest``.
        """
        if os.sep in reference or reference.endswith((".yaml", ".yml")):
            return read_entry(Path(reference).expanduser(), "file")
        wanted = versions.parse_wanted(reference)
        found = [entry for entry in self.entries if entry.manifest.name == wanted.name and not self.is_shadow(entry)]
        if not found:
            raise self._unknown(wanted.name)
        fitting = [entry for entry in found if versions.fits(entry.manifest.version, wanted.version)]
        if not fitting:
            raise self._no_version(wanted, found)
        return max(fitting, key=_rank)

    def owns(self, name: str) -> bool:
        """Whether ``name`` is a bundled or a trusted module's."""
        return name in self._owned

    def is_shadow(self, entry: Entry) -> bool:
        """Whether ``entry`` is not trusted and has the name of one that is."""
        return not entry.trusted and self.owns(entry.manifest.name)

    def passed_over(self, entry: Entry) -> tuple[Entry, ...]:
        """Those that ask for the name by which ``entry`` was found, and do not have it."""
        if entry.origin == "file":
            return ()
        name = entry.manifest.name
        return tuple(each for each in self.entries if each.manifest.name == name and self.is_shadow(each))

    def _no_version(self, wanted: versions.Wanted, found: list[Entry]) -> UnknownModule:
        shadows = self.passed_over(found[0])
        told = [f"{each.path} says it is {each.manifest.version}, and is not trusted" for each in shadows]
        return UnknownModule(
            f"No version of {wanted.name} fits {wanted.version}.",
            cause="; ".join([f"there is {', '.join(entry.manifest.version for entry in found)}", *told]),
            remedy=f"%las start {word(wanted.name)}",
        )

    def start_order(self, entry: Entry) -> tuple[Entry, ...]:
        """
        ``entry`` behind everything it depends on, in the order to start them.

        Raises ``PlanRefused`` naming the circle, or the dependency that no module fits.
        """
        ordered: dict[str, Entry] = {}
        self._visit(entry, (), ordered)
        return tuple(ordered.values())

    def _visit(self, entry: Entry, path: tuple[str, ...], ordered: dict[str, Entry]) -> None:
        name = entry.manifest.name
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise PlanRefused(
                f"{path[0]} cannot be started: modules wait for each other.",
                cause=f"the circle is {circle}",
                remedy=f"take one of them out of dependencies.modules in {word(entry.path)}",
            )
        if name in ordered:
            return
        for text in entry.manifest.dependencies.modules:
            self._visit(self._dependency(text, entry, ordered), (*path, name), ordered)
        ordered[name] = entry

    def _dependency(self, text: str, of: Entry, ordered: dict[str, Entry]) -> Entry:
        wanted = versions.parse_wanted(text)
        chosen = ordered.get(wanted.name)
        if chosen is not None and not versions.fits(chosen.manifest.version, wanted.version):
            raise PlanRefused(
                f"{of.manifest.name} cannot be started: it needs {text}.",
                cause=f"{wanted.name} {chosen.manifest.version} is needed by another module of the same start",
                remedy="%las modules",
            )
        if chosen is not None:
            return chosen
        try:
            return self.find(text)
        except UnknownModule as error:
            raise PlanRefused(
                f"{of.manifest.name} cannot be started: it needs {text}.",
                cause=f"{error.message.rstrip('.')} ({error.cause})" if error.cause else error.message,
                remedy=f"add a manifest of {word(wanted.name)} to {word(_user_folder())}",
            ) from error

    def _unknown(self, name: str) -> UnknownModule:
        names = sorted({entry.manifest.name for entry in self.entries})
        # A name that is nearly a bundled one's is what a stranger would take.
        near = _nearest(name, sorted(self._owned)) or _nearest(name, names)
        return UnknownModule(
            f"There is no module {name!r}.",
            cause=f"known are {', '.join(names)}",
            remedy=f"did you mean {word(near[0])}?" if near else "%las modules",
        )


def _nearest(name: str, names: list[str]) -> list[str]:
    begun = [each for each in names if len(name) > 2 and each.startswith(name.lower())]
    return begun or difflib.get_close_matches(name.lower(), names, 1, 0.5)


def _place(entry: Entry) -> Any:
    return entry.manifest.name, versions.order(entry.manifest.version), entry.origin, str(entry.path)


def _rank(entry: Entry) -> Any:
    return entry.manifest.can_start(), versions.order(entry.manifest.version), entry.origin != "bundled"


def load_catalog(settings: Any = None) -> Catalog:
    """The bundled manifests, the user's folder, then ``manifests.paths``. A broken file breaks only itself."""
    entries, problems = list(bundled()), []
    pinned = pins()
    for path in _user_files(settings):
        try:
            entries.append(_believed(read_entry(path, "user", pinned)))
        except LasError as problem:
            problems.append(problem)
    return Catalog(entries, problems)


def _believed(entry: Entry) -> Entry:
    """What lies in our own folder must be out of others' reach, or pinned. Raises ``InvalidSettings``."""
    if not entry.trusted and entry.path.is_relative_to(_user_folder()):
        check_own(entry.path)
    return entry


@lru_cache(maxsize=1)
def bundled() -> tuple[Entry, ...]:
    """The manifests that come with the package; they cannot change while it runs."""
    return tuple(_bundled())


def _bundled() -> Iterator[Entry]:
    for path in sorted(BUNDLED_FOLDER.glob("*/manifest.yaml")):
        data = path.read_bytes()
        manifest = parse_manifest(data, str(path))
        yield Entry(manifest, "bundled", path, BUNDLED.trusted, BUNDLED.why, content_hash(data))


def read_entry(path: Path, origin: str, pinned: dict[str, Pin] | None = None) -> Entry:
    """The entry of one file. Raises ``InvalidManifest``, ``UnknownModule``."""
    try:
        there = path.is_file()
    except (OSError, ValueError) as error:
        raise InvalidManifest(f"{path} cannot be read.", cause=str(error), remedy="check the path") from error
    if not there:
        raise UnknownModule(
            f"There is no manifest {path}.", cause=_beside(path), remedy="give its path, or a name from %las modules"
        )
    data = read_file(path)
    told = standing(path, data, pinned)
    return Entry(_parsed(data, str(path)), origin, path, told.trusted, told.why, content_hash(data), told.changes)


def _beside(path: Path) -> str:
    try:
        found = sorted(each.name for each in path.parent.iterdir() if each.suffix in (".yaml", ".yml"))[:5]
    except OSError:
        return f"there is no folder {path.parent}"
    return f"beside it are {', '.join(found)}" if found else f"{path.parent} holds no .yaml file"


@lru_cache(maxsize=256)
def _parsed(data: bytes, path: str) -> Manifest:
    """By content, so that no clock or file system can make a changed file look the same."""
    return parse_manifest(data, path)


def _user_folder() -> Path:
    return user_file().with_name("manifests")


def _user_files(settings: Any) -> Iterator[Path]:
    places = [_user_folder()]
    if settings is not None:
        places += [Path(path).expanduser() for path in settings.manifests.paths]
    for place in places:
        if place.is_file():
            yield place
        elif place.is_dir():
            yield from sorted({*place.glob("*/manifest.yaml"), *place.glob("*.yaml"), *place.glob("*.yml")})
