"""What a manifest promises that its types cannot hold: names, patterns and ports that fit each other."""

from __future__ import annotations

import difflib
import re
import signal
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from las_jupyter.core.unseen import seen
from las_jupyter.logs.patterns import too_slow
from las_jupyter.manifests import template
from las_jupyter.manifests.spellings import parse_user

if TYPE_CHECKING:
    from las_jupyter.manifests.schema import Live, Manifest, Ready

Place = tuple[str | int, ...]

_PROBES = ("http", "tcp", "command", "log")
_RUNS_A_GROUP = re.compile(r"(?:^|[,;:|&(`]|\bor|\bthen|\brun)\s*\{\d+\}")
_TOO_SLOW = (
    "searching for it may take for ever: a repeat inside a repeat, or several that can hold the same letters;"
    " write .{0,80} or [^…]* for .*"
)
_REQUIREMENT = re.compile(r"[a-z0-9][a-z0-9._-]*(@.+)?")


class Problem(NamedTuple):
    """Where in the file, and what is wrong there, as a clause."""

    at: Place
    text: str


def problems(manifest: Manifest) -> Iterator[Problem]:
    """Everything that does not fit, in the order of the file's sections."""
    yield from _texts(manifest)
    yield from _runtime(manifest)
    yield from _dependencies(manifest)
    yield from _launch(manifest)
    yield from _ports(manifest)
    yield from _health(manifest)
    yield from _identity(manifest)
    yield from _stop(manifest)
    yield from _patterns(manifest)


def _texts(manifest: Manifest) -> Iterator[Problem]:
    """What a person reads must be what is there to read; and but for notes and description each is one line."""
    native, container = (getattr(manifest.launch, mode, None) for mode in ("native", "container"))
    one_line: list[tuple[Place, str | None]] = [
        (("launch", "native", "install"), native and native.install),
        (("launch", "container", "user_reason"), container and container.user_reason),
        *((("phases", index, "says"), row.says) for index, row in enumerate(manifest.phases)),
        *((("failures", index, "meaning"), row.meaning) for index, row in enumerate(manifest.failures)),
        *((("failures", index, "remedy"), row.remedy) for index, row in enumerate(manifest.failures)),
        *((("refuse", index, "use"), row.use) for index, row in enumerate(manifest.refuse)),
    ]
    longer: list[tuple[Place, str | None]] = [(("description",), manifest.description), (("notes",), manifest.notes)]
    for at, text in one_line + longer:
        if text and seen(text, joiners=True) != text:
            yield Problem(at, "it holds characters that cannot be seen")
        elif text and "\n" in text.rstrip("\n") and (at, text) in one_line:
            yield Problem(at, "it is one line")


def _runtime(manifest: Manifest) -> Iterator[Problem]:
    runtime = manifest.runtime
    if runtime.preferred is not None and runtime.preferred not in runtime.modes:
        yield Problem(("runtime", "preferred"), f"it is not one of the modes {', '.join(runtime.modes)}")
    for mode in ("native", "container"):
        if manifest.launch and getattr(manifest.launch, mode) is not None and mode not in runtime.modes:
            yield Problem(("launch", mode), f"runtime.modes does not name {mode}")


def _dependencies(manifest: Manifest) -> Iterator[Problem]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    for index, text in enumerate(manifest.dependencies.modules):
        place: Place = ("dependencies", "modules", index)
        if not _REQUIREMENT.fullmatch(text):
            yield Problem(place, f"{text!r} is not a module's name, or name@>=1.2")
            continue
        wanted = text.partition("@")[2]
        if wanted and wanted[0] in "<>=!~":
            try:
                SpecifierSet(wanted)
            except InvalidSpecifier:
                yield Problem(place, f"{wanted!r} is not a constraint on versions; write it like >=1.2,<2")


def _launch(manifest: Manifest) -> Iterator[Problem]:
    launch = manifest.launch
    if launch is None:
        return
    if launch.native:
        at: Place = ("launch", "native")
        yield from _words((*at, "argv"), launch.native.argv, manifest)
        yield from _env((*at, "env"), launch.native.env, manifest)
        uses = template.names_in(launch.native.argv)
        if "engine" in uses and not launch.native.needs:
            yield Problem((*at, "argv"), "{engine} is used, and needs does not name the program")
    if launch.container:
        at = ("launch", "container")
        yield from _words((*at, "argv"), launch.container.argv, manifest)
        yield from _words((*at, "entrypoint"), launch.container.entrypoint or [], manifest)
        yield from _env((*at, "env"), launch.container.env, manifest)
        yield from _container(manifest)
    for name, secret in launch.secrets.items():
        if secret.env is None and not secret.file:
            yield Problem(("launch", "secrets", name), "it goes nowhere: give it env or file: true")


def _container(manifest: Manifest) -> Iterator[Problem]:
    container = manifest.launch and manifest.launch.container
    if not container:
        return
    at: Place = ("launch", "container")
    if container.user is not None and not container.user_reason:
        if container.user == "keep":
            told = "an image that does not name a user runs as root; user_reason must say why that may be"
            yield Problem((*at, "user"), told)
        elif parse_user(container.user).is_root:
            yield Problem((*at, "user"), f"{container.user} is root; user_reason must say why that has to be")
    known = {row.name for row in manifest.ports}
    for name in container.inner_ports:
        if name not in known:
            yield Problem((*at, "inner_ports", name), _no_port(name, known))
    uses = template.names_in([*container.argv, *container.env.values()])
    for word in sorted(uses & {"engine", "python", "package_dir"}):
        yield Problem((*at, "argv"), f"{{{word}}} is of this machine and not inside the image")
    if "data_dir" in uses and container.data is None:
        yield Problem((*at, "argv"), "{data_dir} is used, and data does not say where it is inside")


def _words(at: Place, argv: Sequence[str | Sequence[str]], manifest: Manifest) -> Iterator[Problem]:
    for index, entry in enumerate(argv):
        for word in [entry] if isinstance(entry, str) else entry:
            yield from _marks((*at, index), word, manifest)


def _env(at: Place, env: dict[str, str], manifest: Manifest) -> Iterator[Problem]:
    for name, text in env.items():
        yield from _marks((*at, name), text, manifest)
        if any(secret.env == name for secret in (manifest.launch.secrets if manifest.launch else {}).values()):
            yield Problem((*at, name), "a generated secret travels in this variable")


def _marks(at: Place, word: str, manifest: Manifest) -> Iterator[Problem]:
    wrong = template.mistake(word)
    if wrong:
        yield Problem(at, wrong)
        return
    secrets = manifest.launch.secrets if manifest.launch else {}
    ports = {row.name for row in manifest.ports}
    for key in sorted(template.names_in([word])):
        family, _, name = key.partition(":")
        if family == "secret_file" and not (name in secrets and secrets[name].file):
            yield Problem(at, f"{{{key}}}: launch.secrets has no {name} with file: true")
        elif family == "port" and name and name not in ports:
            yield Problem(at, f"{{{key}}}: {_no_port(name, ports)}")
        elif key == "port" and not ports:
            yield Problem(at, "{port} is used, and ports is empty")
        elif key in ("model", "alias") and manifest.model is None:
            yield Problem(at, f"{{{key}}} is used, and there is no model section")


def _ports(manifest: Manifest) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, row in enumerate(manifest.ports):
        if row.name in seen:
            yield Problem(("ports", index), f"there are two ports of the name {row.name}")
        seen.add(row.name)


def _health(manifest: Manifest) -> Iterator[Problem]:
    known = {row.name for row in manifest.ports}
    sections: tuple[tuple[str, Ready | Live], ...] = (("ready", manifest.health.ready), ("live", manifest.health.live))
    for name, section in sections:
        at: Place = ("health", name)
        kinds = [kind for kind in _PROBES if getattr(section, kind) is not None]
        if len(kinds) > 1:
            yield Problem((*at, kinds[1]), f"one kind of probe is enough; {kinds[0]} is there already")
        for kind in ("http", "tcp"):
            probe = getattr(section, kind)
            if probe is not None and probe.port not in known:
                yield Problem((*at, kind), _no_port(probe.port, known))
        if section.log is not None:
            yield from _pattern((*at, "log"), section.log)
    progress = manifest.health.live.progress
    if progress is not None and progress.port not in known:
        yield Problem(("health", "live", "progress"), _no_port(progress.port, known))


def _identity(manifest: Manifest) -> Iterator[Problem]:
    if manifest.identity is not None:
        yield from _pattern(("identity", "pattern"), manifest.identity.pattern)
        if not manifest.ports:
            yield Problem(("identity",), "ports is empty, so there is nobody to ask")


def _no_port(name: str, known: set[str]) -> str:
    return f"there is no port {name}; " + (f"ports names {', '.join(sorted(known))}" if known else "ports is empty")


def _stop(manifest: Manifest) -> Iterator[Problem]:
    name = manifest.stop.signal
    valid = [each.name for each in signal.Signals if each.name.startswith("SIG")]
    if name not in valid or name in ("SIGKILL", "SIGSTOP"):
        near = difflib.get_close_matches(name.upper(), [each for each in valid if each != "SIGKILL"], 1, 0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield Problem(("stop", "signal"), f"{name!r} is no signal to ask with{hint}")


def _patterns(manifest: Manifest) -> Iterator[Problem]:
    for index, phase in enumerate(manifest.phases):
        yield from _pattern(("phases", index, "pattern"), phase.pattern)
    for index, row in enumerate(manifest.failures):
        wrong = list(_pattern(("failures", index, "pattern"), row.pattern))
        yield from wrong
        if wrong:
            continue
        groups = re.compile(row.pattern).groups
        for field, text in (("meaning", row.meaning), ("remedy", row.remedy)):
            for number in re.findall(r"\{(\d+)\}", text):
                if not 1 <= int(number) <= groups:
                    told = f"{{{number}}} is used, and the pattern has {groups} groups"
                    yield Problem(("failures", index, field), told)
        if _RUNS_A_GROUP.search(row.remedy):
            yield Problem(("failures", index, "remedy"), "a command cannot begin with what a log says")


def _pattern(at: Place, pattern: str) -> Iterator[Problem]:
    try:
        # Phases are looked for in the bytes of the log, failures in its text: both must compile.
        re.compile(pattern)
        re.compile(pattern.encode())
        if too_slow(pattern):
            yield Problem(at, _TOO_SLOW)
    except (re.error, OverflowError, RecursionError, UnicodeEncodeError) as error:
        yield Problem(at, f"it is not a regular expression: {error}")
