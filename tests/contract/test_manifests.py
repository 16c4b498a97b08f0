"""Every bundled manifest keeps these promises; a new folder is found by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from las_jupyter.core.launch import HttpProbe, LaunchSpec, LogProbe, TcpProbe
from las_jupyter.core.states import Mode
from las_jupyter.core.wire import from_json, to_json
from las_jupyter.manifests import lower, schema, template
from las_jupyter.manifests.catalog import BUNDLED_FOLDER, Catalog, Entry, bundled
from las_jupyter.manifests.load import load_manifest
from las_jupyter.manifests.refused import refused_arguments
from las_jupyter.runtime.explain import match

DATA = Path(__file__).parents[1] / "data"
TRANSCRIPTS = DATA / "transcripts"
FOLDERS = sorted(path for path in BUNDLED_FOLDER.iterdir() if path.is_dir())
EXPECTED = {
    "comfyui", "http-echo", "llama.cpp", "ollama", "open-webui", "postgres", "qdrant", "redis", "sglang",
    "text-embeddings-inference", "vllm",
}  # fmt: skip
FAILURES = [(entry, row) for entry in bundled() for row in entry.manifest.failures]
STARTS = [
    (entry, mode) for entry in bundled() for mode in Mode if entry.manifest.missing(mode) is None
]  # fmt: skip

every_module = pytest.mark.parametrize("entry", bundled(), ids=lambda entry: entry.manifest.name)
every_start = pytest.mark.parametrize(
    ("entry", "mode"), STARTS, ids=[f"{entry.manifest.name}-{mode}" for entry, mode in STARTS]
)


def values(entry: Entry, mode: Mode, *, optional: bool) -> dict[str, str | tuple[str, ...]]:
    """What a plan would fill in."""
    filled: dict[str, str | tuple[str, ...]] = {
        "engine": ("/usr/bin/the-engine",), "python": "/usr/bin/python3", "package_dir": "/lib/las_jupyter",
        "host": "127.0.0.1", "data_dir": "/data",
    }  # fmt: skip
    for port in lower.ports(entry.manifest, mode):
        number = str(port.inner or port.preferred)
        filled[f"port:{port.name}"] = number
        filled.setdefault("port", number)
    if entry.manifest.model:
        filled |= {"model": "/models/m", "alias": "m"}
    if optional:
        filled |= {
            "context": "4096",
            "gpu_count": "2",
            "gpu_layers": "20",
            "gpu_memory_utilization": "0.8",
            "threads": "4",
        }
    return filled


def test_every_folder_is_a_module_of_its_name():
    assert {path.name for path in FOLDERS} >= EXPECTED
    for path in FOLDERS:
        assert load_manifest(path / "manifest.yaml").name == path.name


@every_module
def test_a_person_can_choose_by_what_it_says(entry: Entry):
    manifest = entry.manifest

    assert manifest.description and manifest.license and manifest.category
    assert entry.trusted and entry.origin == "bundled"
    assert manifest.can_start()


@every_start
@pytest.mark.parametrize("optional", [False, True])
def test_its_command_line_can_be_filled(entry: Entry, mode: Mode, optional: bool):
    filled = values(entry, mode, optional=optional)

    argv = lower.argv(entry.manifest, mode, filled)
    env = lower.env(entry.manifest, mode, filled)

    left = template.names_in(argv) | template.names_in(tuple(env.values()))
    assert {name.partition(":")[0] for name in left} <= {"secret_file"}
    if mode is Mode.NATIVE:
        assert "/usr/bin/the-engine" in argv


@every_start
def test_it_is_told_where_to_listen(entry: Entry, mode: Mode):
    """A server that is told no address listens on all of them."""
    part = lower.native(entry.manifest) if mode is Mode.NATIVE else lower.container(entry.manifest)

    used = template.names_in([*part.argv, *part.env.values()])

    assert "host" in used
    assert {"port", *(f"port:{row.name}" for row in entry.manifest.ports)} & used


@every_start
def test_no_secret_travels_on_the_command_line(entry: Entry, mode: Mode):
    assert entry.manifest.launch
    part = lower.native(entry.manifest) if mode is Mode.NATIVE else lower.container(entry.manifest)

    words = [word for group in part.argv for word in ([group] if isinstance(group, str) else group)]

    assert not {"--api-key", "--requirepass", "--password"} & set(words)
    for name, secret in entry.manifest.launch.secrets.items():
        assert secret.env or f"{{secret_file:{name}}}" in words


@every_module
def test_where_it_listens_cannot_be_undone_by_extra_arguments(entry: Entry):
    launch = entry.manifest.launch
    assert launch and launch.native
    listens = [word for word in launch.native.argv if word in ("--host", "--hostname", "--bind", "--listen", "-h")]

    for option in listens:
        for typed in ([str(option), "0.0.0.0"], [f"{option}=0.0.0.0"]):
            assert refused_arguments(entry.manifest, typed), f"{typed} is let through"


@every_module
def test_its_rules_travel_in_a_launch_spec(entry: Entry):
    manifest = entry.manifest
    spec = LaunchSpec(
        "x", manifest.name, Mode.NATIVE, "fake", ("x",),
        secrets=lower.secret_uses(manifest), ready=lower.ready_rule(manifest), live=lower.live_rule(manifest),
        stop=lower.stop_rule(manifest, None), phases=lower.phases(manifest), failures=lower.failures(manifest),
        container=lower.container_spec(manifest) if manifest.missing(Mode.CONTAINER) is None else None,
    )  # fmt: skip

    assert from_json(LaunchSpec, to_json(spec)) == spec


@every_module
def test_it_has_a_probe_of_its_own_on_a_port_of_its_own(entry: Entry):
    names = {row.name for row in entry.manifest.ports}

    for probe in (lower.ready_rule(entry.manifest).probe, lower.live_rule(entry.manifest).probe):
        assert probe is not None
        if isinstance(probe, (HttpProbe, TcpProbe)):
            assert probe.port in names
    assert not isinstance(lower.live_rule(entry.manifest).probe, LogProbe)


@every_module
def test_a_container_that_stays_root_says_why(entry: Entry):
    container = entry.manifest.launch and entry.manifest.launch.container

    if container and container.user == "keep":
        assert container.user_reason


def test_no_two_modules_prefer_the_same_port():
    taken = [row.default for entry in bundled() for row in entry.manifest.ports]

    assert len(taken) == len(set(taken))


@pytest.mark.parametrize(("entry", "row"), FAILURES, ids=[f"{e.manifest.name}-{r.id}" for e, r in FAILURES])
def test_each_failure_is_explained_from_a_transcript(entry: Entry, row: schema.FailureRow):
    assert row.id, f"{entry.manifest.name}: {row.pattern} has no id"
    transcript = TRANSCRIPTS / entry.manifest.name / f"{row.id}.log"

    told = match(lower.failures(entry.manifest), transcript.read_text().splitlines())

    expected = next(failure for failure in lower.failures(entry.manifest) if failure.pattern == row.pattern)
    alone = match((expected,), transcript.read_text().splitlines())
    assert alone is not None, "the pattern does not match its transcript"
    assert told == alone, "an earlier row speaks first"
    assert "{" not in "".join(told)


def test_every_transcript_belongs_to_a_failure():
    known = {f"{entry.manifest.name}/{row.id}" for entry, row in FAILURES}
    there = {f"{path.parent.name}/{path.stem}" for path in TRANSCRIPTS.glob("*/*.log")}

    assert there == known


def test_the_schema_that_is_checked_in_is_current():
    """After a change: python -m las_jupyter.manifests"""
    checked_in = BUNDLED_FOLDER.with_name("manifest.schema.json").read_text()

    assert json.loads(checked_in) == schema.json_schema()


UPSTREAM = sorted((DATA / "localaistack" / "modules").glob("*/manifest.yaml"))


@pytest.mark.parametrize("path", UPSTREAM, ids=lambda path: path.parent.name)
def test_an_upstream_manifest_loads_as_it_is_and_says_what_it_lacks(path: Path):
    manifest = load_manifest(path)

    assert manifest.name == path.parent.name
    assert not manifest.can_start()
    for mode in Mode:
        assert "it has no launch section" in str(manifest.missing(mode))
    for mode in manifest.runtime.modes:
        assert mode in list(Mode) or f"{mode} is " in str(manifest.missing(Mode.NATIVE))


def test_the_bundled_module_outranks_an_upstream_file_that_cannot_start():
    upstream = [
        Entry(load_manifest(path), "user", path, False, "", "") for path in UPSTREAM if path.parent.name == "vllm"
    ]

    assert Catalog([*bundled(), *upstream]).find("vllm").origin == "bundled"
