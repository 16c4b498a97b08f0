"""What engines say while they fetch an image, and what is made of it."""

from __future__ import annotations

import pytest

from las_jupyter.backends.oci import PullProgress, exact_name
from las_jupyter.backends.oci_pull import Layers, explain_pull
from las_jupyter.backends.podman import layer_of
from las_jupyter.core.snapshot import Fetching

ONE, TWO = "9819ca005650", "34843801d6ad"
DOCKER_SAYS = [
    PullProgress("1", "Pulling from las/busybox"),
    PullProgress(ONE, "Pulling fs layer"),
    PullProgress(TWO, "Pulling fs layer"),
    PullProgress(ONE, "Downloading", 100, 1000),
    PullProgress(TWO, "Waiting"),
]


def told(*words: PullProgress) -> Fetching:
    layers = Layers("image:1")
    for word in words:
        layers.take(word)
    return layers.fetching


def test_no_total_is_claimed_before_the_size_of_every_layer_is_known() -> None:
    assert told(*DOCKER_SAYS) == Fetching("image:1", 0, 2, 100, 0)
    assert told(*DOCKER_SAYS).text == "pulling image:1: 0 of 2 layers, 100 B so far"
    assert told(*DOCKER_SAYS).fraction is None


def test_layers_and_bytes_are_counted_together() -> None:
    found = told(*DOCKER_SAYS, PullProgress(TWO, "Downloading", 500, 3000), PullProgress(ONE, "Pull complete"))

    assert found == Fetching("image:1", 1, 2, 1500, 4000)
    assert found.text == "pulling image:1: 1 of 2 layers, 1.5 KiB of 3.9 KiB"
    assert found.fraction == 1500 / 4000


def test_unpacking_a_layer_does_not_make_it_less() -> None:
    found = told(*DOCKER_SAYS, PullProgress(TWO, "Already exists"), PullProgress(ONE, "Extracting", 10, 1000))

    assert (found.done, found.total) == (1000, 1000)


def test_before_the_engine_said_a_word_it_is_pulling_all_the_same() -> None:
    assert Layers("image:1").fetching.text == "pulling image:1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Copying blob 26ddc2b166b3 [==>-----] 320.0KiB / 4.0MiB",
            PullProgress("26ddc2b166b3", "Downloading", 327680, 4 * 2**20),
        ),
        ("Copying blob 26ddc2b166b3 [>-----] 0.0b / 363.0b", PullProgress("26ddc2b166b3", "Downloading", 0, 363)),
        ("Copying blob 26ddc2b166b3 done", PullProgress("26ddc2b166b3", "Pull complete")),
        ("Copying blob 26ddc2b166b3 skipped: already exists", PullProgress("26ddc2b166b3", "Already exists")),
        ("Copying blob sha256:26ddc2b166b3", PullProgress("26ddc2b166b3", "Waiting")),
        ("Copying config fcc2870950 done", None),
        ("Writing manifest to image destination", None),
    ],
)
def test_a_line_of_podmans_terminal_is_a_layers_progress(line: str, expected: PullProgress | None) -> None:
    assert layer_of(line) == expected


@pytest.mark.parametrize(
    ("said", "cause", "remedy"),
    [
        (
            "manifest for a/b:9 not found: manifest unknown: manifest unknown",
            "no such image or tag",
            "launch.container",
        ),
        ("initializing source docker://a/b:9: reading manifest 9 in a/b: manifest unknown", "no such image", "launch."),
        (
            "pull access denied for a/b, repository does not exist or may require 'docker login': denied",
            "without a login",
            "docker login",
        ),
        ('Get "https://x/v2/": dial tcp: lookup x: no such host', "cannot be reached", "docker pull a/b:9"),
        ("unexpected EOF", "cut before all of it was here", "docker pull a/b:9"),
        ("write /var/lib/docker/x: no space left on device", "disk is full", "docker system prune"),
        ("something new", "something new", "docker pull a/b:9"),
    ],
)
def test_why_an_image_cannot_be_had_is_one_sentence_with_its_cure(said: str, cause: str, remedy: str) -> None:
    error = explain_pull("chat", "docker", "a/b:9", said)

    assert cause in (error.cause or "")
    assert remedy in (error.remedy or "")


@pytest.mark.parametrize(
    ("reference", "digests", "expected"),
    [
        ("docker.io/library/redis:7", ["mirror/redis@sha256:1", "redis@sha256:2"], "redis@sha256:2"),
        (
            "127.0.0.1:5000/las/busybox:1",
            ["127.0.0.1:5000/las/busybox@sha256:3"],
            "127.0.0.1:5000/las/busybox@sha256:3",
        ),
        ("renamed:1", ["redis@sha256:2"], "redis@sha256:2"),
        ("localhost/built:1", [], "sha256:id"),
    ],
)
def test_the_exact_name_is_of_the_repository_asked_for(reference: str, digests: list[str], expected: str) -> None:
    assert exact_name(reference, digests, "sha256:id") == expected
