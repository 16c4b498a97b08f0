"""Whatever a manifest or a person writes reaches an engine as the value it is, and never as an option of its own."""

from __future__ import annotations

import csv

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from las_jupyter.backends import podman
from las_jupyter.backends.oci import CreateOptions, EngineError, create_options, is_image
from las_jupyter.backends.podman import PodmanEngine, _env_file, arguments
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import ContainerSpec, Gpus, LaunchSpec, Mount
from las_jupyter.core.states import Mode

# What takes no value of its own, of all that we say.
FLAGS = {"--read-only", "--read-only-tmpfs=false", "--init", "--no-healthcheck", "--http-proxy=false"}
ANYTHING = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
OPTION_LIKE = st.one_of(ANYTHING, ANYTHING.map("-".__add__), ANYTHING.map("--privileged,".__add__))
FILES = StartFiles("/nowhere", "", -1, 1)


def options(**changes: object) -> CreateOptions:
    plain = CreateOptions(
        "las-0-one", "own:1", ("sh",), None, {}, {}, (), (), None, None, read_only=True, tmpfs=(), memory=None,
        cpus=None, pids=1, nofile=None, shm=None, gpus=Gpus(), stop_signal="SIGTERM", own_probe=True,
    )  # fmt: skip
    return plain._replace(**changes)


def read_by_podman(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The options and the rest, as a parser that stops at ``--`` has them."""
    found: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        assert word.startswith("--"), word
        found.setdefault(word, []).append("" if word in FLAGS else next(rest))
    return found, list(rest)


def test_podman_hands_on_no_proxy_of_our_environment():
    found, _ = read_by_podman(arguments(options(), "/env"))

    assert "--http-proxy=false" in found


@given(image=OPTION_LIKE, argv=st.lists(OPTION_LIKE), value=OPTION_LIKE, place=OPTION_LIKE)
@example(image="-v=/:/host", argv=["--privileged"], value="--privileged", place="--pid=host")
def test_no_value_becomes_an_option_of_podmans(image, argv, value, place):
    words = arguments(
        options(
            image=image, argv=tuple(argv), user=value, workdir=place, stop_signal=value, labels={"l": value},
            entrypoint=(value,),
        ),
        "/env",
    )  # fmt: skip

    found, rest = read_by_podman(words)

    assert rest == [image, *argv]
    assert (found["--user"], found["--workdir"], found["--stop-signal"]) == ([value], [place], [value])
    assert found["--label"] == [f"l={value}"]
    assert "--privileged" not in found


@given(source=ANYTHING, target=ANYTHING, writable=st.booleans())
@example(source="./a,readonly=false", target='/x",bind-propagation=shared', writable=False)
def test_a_mounts_paths_are_paths_whatever_stands_in_them(source, target, writable):
    assume("\r" not in source + target)  # Go's reader makes one line end of two letters
    mount = Mount(source, target, writable)

    found, _ = read_by_podman(arguments(options(mounts=(mount,)), "/env"))
    fields = next(csv.reader(found["--mount"], strict=True)) if "\n" not in source + target else None

    if fields is not None:
        assert fields[:3] == ["type=bind", f"source={source}", f"target={target}"]
        assert fields[3:] == ([] if writable else ["readonly=true"])


@given(ANYTHING)
def test_a_variables_name_hands_on_nothing_of_ours(name):
    try:
        lines = _env_file(options(env={name: "value"})).decode().split("\n")
    except LaunchFailed:
        return

    assert lines == [f"{name}=value", ""]
    assert "=" not in name
    assert not name.startswith("#")


@pytest.mark.parametrize("name", ["HF_TOKEN\nX", "A=B", "#", "", "A B", "A\tB", "A\rB"])
def test_a_variables_name_that_is_none_is_refused(name):
    with pytest.raises(LaunchFailed) as caught:
        _env_file(options(env={name: "value"}))

    assert "no name of a variable" in str(caught.value.cause)


def spec(image: str = "own:1", **changes: object) -> LaunchSpec:
    container = ContainerSpec(image)._replace(**changes)  # type: ignore[arg-type]
    return LaunchSpec("one", "own", Mode.CONTAINER, "podman", ("sh",), container=container)


@pytest.mark.parametrize(
    "image",
    [
        "redis", "redis:7-alpine", "docker.io/library/redis:7", "localhost/las-base:1", "127.0.0.1:5000/las/busybox:1",
        "[::1]:5000/a/b:c", "ghcr.io/ggml-org/llama.cpp:server-cuda", "a__b/c--d", "sha256:" + "a" * 64,
        "docker.io/library/redis:7@sha256:" + "0" * 64, "REGISTRY.example.org/x:Y",
    ],
)  # fmt: skip
def test_what_registries_call_an_image_is_one(image):
    assert is_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "--help", "-v=/:/host", "", "x;touch${IFS}/tmp/P", "a b", "a\n", "a:b:c", "Upper", "../x", "/x", "a//b", "a:",
        "a@sha256:12", "oci-archive:/etc/shadow", "docker://x", "dir:/home", "containers-storage:x", "a" * 601,
        "redis:7\u202e",
    ],
)  # fmt: skip
def test_what_is_no_images_name_reaches_no_engine(image):
    with pytest.raises(LaunchFailed) as caught:
        create_options(spec(image), {}, FILES, "start")

    assert "names no image" in str(caught.value.cause)


@given(st.text())
def test_nothing_is_an_images_name_that_begins_like_an_option_or_holds_what_acts(text):
    if is_image(text):
        assert not text.startswith("-")
        assert not set(text) & set(" \t\n;$`'\"\\|&<>(){},=*?!")


@pytest.mark.parametrize("place", ["/tmp:exec,suid", "tmp", "", "-v", "/a\n", "/x:rw,dev"])
def test_a_place_in_memory_cannot_bring_options_of_its_own(place):
    for field in ("tmpfs", "writable"):
        with pytest.raises(LaunchFailed) as caught:
            create_options(spec(**{field: (place,)}), {}, FILES, "start")
        assert "no place in a container" in str(caught.value.cause)


def test_what_podman_is_asked_about_stands_behind_the_options(monkeypatch):
    asked: list[tuple[str, ...]] = []

    def run(self: PodmanEngine, *words: str, **_: object) -> str:
        asked.append(words)
        raise EngineError("no such container")

    monkeypatch.setattr(PodmanEngine, "_run", run)
    monkeypatch.setattr(podman.subprocess, "run", lambda words, **_: asked.append(tuple(words[1:])) or _Done())
    engine, strange = PodmanEngine(), "--all"

    engine.image(strange)
    engine.inspect(strange)
    engine.remove(strange)
    engine.check_health(strange)
    engine.tail(strange)
    engine.execute(strange, ("--latest",), 1.0)
    for ask in (engine.start, lambda name: engine.kill(name, "TERM")):
        with pytest.raises(EngineError):
            ask(strange)

    for words in asked:
        assert words.index("--") < words.index(strange), words


class _Done:
    stdout = stderr = b""
    returncode = 0
