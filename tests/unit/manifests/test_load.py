from __future__ import annotations

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manifest_texts import server

from las_jupyter.core.errors import InvalidManifest, LasError
from las_jupyter.core.states import Mode
from las_jupyter.manifests.catalog import BUNDLED_FOLDER
from las_jupyter.manifests.load import own_checksum, parse_manifest

BUNDLED = [yaml.safe_load(path.read_text()) for path in sorted(BUNDLED_FOLDER.glob("*/manifest.yaml"))]

BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


def refused(text: str | bytes) -> InvalidManifest:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text if isinstance(text, bytes) else text.encode(), "mine.yaml")
    return caught.value


def told(text: str) -> str:
    return "\n".join(refused(text).lines())


def test_every_mistake_is_named_with_its_line_and_the_nearest_word():
    lines = told(
        "name: demo\n"
        "versoin: 1\n"
        "runtime: {modes: [native], prefered: native}\n"
        "launch:\n"
        "  native:\n"
        "    argv: [x]\n"
        "    need: [x]\n"
        "ports:\n"
        "  - {name: http, default: 99999}\n"
        "stop: {grace: 5 parsecs}\n"
        "model: {kind: ggf}\n"
    )

    assert "mine.yaml breaks the manifest schema in 6 places" in lines
    assert "line 2, versoin: there is no such key; did you mean version?" in lines
    assert "line 3, runtime.prefered: there is no such key; did you mean preferred?" in lines
    assert "line 7, launch.native.need: there is no such key; did you mean needs?" in lines
    assert "line 9, ports[0].default:" in lines
    assert "line 10, stop.grace: '5 parsecs' has no time unit we know" in lines
    assert "line 11, model.kind: 'ggf' is not one of gguf, safetensors, any; did you mean gguf?" in lines
    assert "→ mend mine.yaml, line 2" in lines


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("runtime: {modes: [native], preferred: container}", "runtime.preferred: it is not one of the modes native"),
        ("launch: {container: {image: x}}", "launch.container: runtime.modes does not name container"),
        ('launch: {native: {argv: ["{prot}"]}}', "launch.native.argv[0]: {prot} is not a name"),
        ('launch: {native: {argv: [[-x, "{contxt}"]]}}', "did you mean {context}?"),
        ('launch: {native: {argv: ["{engine}"]}}', "needs does not name the program"),
        ('launch: {native: {argv: ["{port}"]}}', "ports is empty"),
        ('launch: {native: {argv: ["{model}"]}}', "there is no model section"),
        ('launch: {native: {argv: ["{secret_file:k}"]}}', "launch.secrets has no k with file: true"),
        ("launch: {native: {argv: [x], env: {K: v}}, secrets: {k: {env: K}}}", "a generated secret travels in this"),
        ("launch: {native: {argv: [x]}, secrets: {k: {}}}", "launch.secrets.k: it goes nowhere"),
        ("health: {ready: {http: {port: web}}}", "health.ready.http: there is no port web"),
        ("health: {live: {tcp: {port: http}, log: x}}", "one kind of probe is enough"),
        ("stop: {signal: SIGTRM}", "did you mean SIGTERM?"),
        ("stop: {signal: SIGKILL}", "is no signal to ask with"),
        ("stop: {signal: ''}", "is no signal to ask with"),
        ('phases: [{pattern: "(", says: x}]', "phases[0].pattern: it is not a regular expression"),
        ('failures: [{pattern: "(a)", meaning: "{2}", remedy: x}]', "failures[0].meaning: {2} is used"),
        ("dependencies: {modules: ['qdrant@>=one']}", "dependencies.modules[0]: '>=one' is not a constraint"),
        ("dependencies: {modules: ['a b']}", "is not a module's name"),
        ("ports: [{default: 1}, {default: 2}]", "there are two ports of the name http"),
    ],
)
def test_what_does_not_fit_together_is_named(section: str, says: str):
    runtime = "" if section.startswith("runtime") else "runtime: {modes: [native]}\n"

    assert says in told(f"name: demo\n{runtime}{section}\n")


def test_a_key_that_stands_twice_is_not_silently_lost():
    error = refused("name: a\nruntime: {modes: [native]}\nname: b\n")

    assert "line 3" in error.message
    assert "second time (first on line 1)" in str(error.cause)


def test_the_version_is_as_it_was_written():
    assert parse_manifest(b"name: a\nversion: 1.10\nruntime: {modes: [native]}\n", "x").version == "1.10"


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b"{a: " * 100_000, b"- " * 100_000, b"&a [*a]", b"\xff\xfe", b"a: \x00", b"", b"3", b"!!int ''",
     b"? [a]\n: b", b"a: !!timestamp 2024-99-99", b"a: 1\n---\nb: 2", b"x" * (2 << 20), b"<<: 3", b"a: *nowhere",
     BOMB.encode(),
     b"!!python/object/apply:os.system [true]"],
    ids=lambda data: repr(data[:12]),
)  # fmt: skip
def test_no_bytes_end_the_kernel(data: bytes):
    error = refused(data)

    assert error.cause
    assert error.remedy or error.cause


@pytest.mark.parametrize("mode", ["binary", "source", "cpu", "python", "spaceship"])
def test_a_mode_we_do_not_know_is_listed_and_explained(mode: str):
    manifest = parse_manifest(f"name: a\nruntime: {{modes: [{mode}], preferred: {mode}}}\n".encode(), "x")

    assert f"{mode} is a" in str(manifest.missing(Mode.NATIVE))
    assert "it has no launch section" in str(manifest.missing(Mode.NATIVE))


def with_checksum(text: str) -> str:
    unsigned = text + 'integrity: {checksum: ""}\n'
    signed = own_checksum(unsigned.encode())
    # The quotes belong to the value that is left out; so does any other spelling of it.
    assert own_checksum(unsigned.replace('""', signed).encode()) == signed
    return unsigned.replace('""', signed)


def test_a_file_that_keeps_its_checksum_loads():
    assert parse_manifest(with_checksum(server()).encode(), "x").name == "mine"


def test_a_file_that_was_changed_behind_its_checksum_is_refused():
    error = refused(with_checksum(server()).replace("serve", "other"))

    assert "not the file its author signed off" in error.message
    assert "sha256:" in str(error.cause)


def test_a_checksum_that_is_none_is_named():
    assert "is no checksum" in refused(server() + "integrity: {checksum: 'sha256:...'}\n").message


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path):
    from las_jupyter.manifests.load import load_manifest

    with pytest.raises(InvalidManifest) as caught:
        load_manifest(tmp_path / "nowhere.yaml")
    assert caught.value.cause == "No such file or directory"


WORDS = st.sampled_from(sorted({key for manifest in BUNDLED for key in manifest} | {"native", "argv", "env", "needs"}))
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.text(string.printable, max_size=20),
    st.sampled_from(["{port}", "{prot}", "native", "container", "24GB", "15s", "-1s", "1e999GB", "(", "SIGTERM", "/x"]),
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


def parses_or_says_why(text: bytes) -> None:
    try:
        manifest = parse_manifest(text, "mine.yaml")
    except LasError as error:
        assert error.cause
        assert "\n" not in error.message
    else:
        for mode in Mode:
            manifest.missing(mode)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_a_sentence(data: bytes):
    parses_or_says_why(data)


@given(ANYTHING)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_data_is_a_manifest_or_a_sentence(content: object):
    parses_or_says_why(yaml.safe_dump(content, allow_unicode=True).encode())


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """A bundled manifest with one thing in it replaced or taken away."""
    import copy

    content = copy.deepcopy(draw(st.sampled_from(BUNDLED)))
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return content
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        if draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(ANYTHING)
        return content


@given(damaged())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_damaged_manifest_is_a_manifest_or_a_sentence(content: object):
    parses_or_says_why(yaml.safe_dump(content, allow_unicode=True).encode())
