"""What engines say, and what we make of it."""

from __future__ import annotations

import docker
import pytest

from las_jupyter.backends.docker import DockerEngine
from las_jupyter.backends.oci import ContainerFacts, CreateOptions, create_options
from las_jupyter.backends.oci_errors import explain
from las_jupyter.backends.oci_logs import plain_lines
from las_jupyter.backends.oci_running import exit_status
from las_jupyter.backends.oci_stream import Position, frames, nanoseconds
from las_jupyter.backends.podman import arguments
from las_jupyter.core.backend import StartFiles
from las_jupyter.core.launch import ContainerSpec, Gpus, LaunchSpec, Mount, Port
from las_jupyter.core.states import Mode


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Bind for 127.0.0.1:18080 failed: port is already allocated", "port 18080 is taken"),
        ("cannot listen on the TCP port: listen tcp4 127.0.0.1:8080: bind: address already in use", "port 8080 is"),
        ('could not select device driver "" with capabilities: [[gpu]]', "NVIDIA container toolkit"),
        ('could not select device driver "cdi" with capabilities: []', "CDI is not enabled"),
        ("setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all", "no CDI description"),
        ('custom device "/dev/nvidia0": no such file or directory', "/dev/nvidia0 does not exist"),
        ("Minimum memory limit allowed is 6MB", "memory limit is too small"),
        ("exec /bin/x: exec format error", "another kind of processor"),
        ("unable to find user nobody: no matching entries in passwd file", "no user nobody"),
        ("something new", "something new"),
    ],
)
def test_an_engines_refusal_is_explained_with_its_cause(said: str, cause: str) -> None:
    assert cause in str(explain("x", "docker", said).cause)


@pytest.mark.parametrize(
    ("code", "oom", "restarted", "expected"),
    [
        (0, False, False, (0, None, False)),
        (7, False, False, (7, None, False)),
        (7, True, False, (7, None, False)),
        (137, True, False, (None, "SIGKILL", True)),
        (137, False, False, (None, "SIGKILL", False)),
        (143, False, True, (143, None, False)),
    ],
)
def test_an_end_is_told_as_the_engine_saw_it(code: int, oom: bool, restarted: bool, expected: object) -> None:
    facts = ContainerFacts("1", "x", "exited", {}, exit_code=code, oom=oom)

    status = exit_status(facts, restarted=restarted, name="docker", insisted=False)

    assert status is not None
    assert (status.code, status.signal, status.oom) == expected
    assert ("restarted" in status.evidence) is restarted


def test_what_was_removed_ended_in_a_way_nobody_saw() -> None:
    status = exit_status(None, restarted=False, name="docker", insisted=False)

    assert status is not None
    assert (status.code, status.signal, status.oom) == (None, None, None)


def test_read_again_from_its_base_every_message_is_new_once() -> None:
    stamps = [1000 + number // 3 for number in range(5000)]
    first = Position({})
    assert all(first.take(stamp) for stamp in stamps[:3217])

    second = Position(first.cursor)
    second.begin()
    delivered = [stamp for stamp in stamps if stamp >= second.base]

    assert sum(second.take(stamp) for stamp in delivered) == len(stamps) - 3217


def test_frames_are_found_wherever_the_stream_is_cut() -> None:
    stream = b"".join(b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text for text in (b"one\n", b"", b"three"))

    for size in (1, 3, 8, 100):
        chunks = iter([stream[at : at + size] for at in range(0, len(stream), size)])
        assert [message for batch in frames(chunks) for message in batch] == [b"one\n", b"", b"three"]


def test_a_time_stamp_is_read_to_the_nanosecond() -> None:
    assert nanoseconds(b"1970-01-01T00:00:01.000000002Z") == 1_000_000_002


def test_a_line_in_parts_is_one_line() -> None:
    assert b"".join(plain_lines(b"T stdout P half\nT stdout F  whole\nT stderr F \n")) == b"half whole\n\n"


def test_a_container_is_published_to_the_network_only_where_its_spec_says_so(tmp_path) -> None:
    plain = LaunchSpec(
        "x", "x", Mode.CONTAINER, "podman", (), ports=(Port("http", 1, 2),), container=ContainerSpec("i")
    )
    files = StartFiles(str(tmp_path), "", -1, 1, "")

    def told(spec: LaunchSpec) -> list[str]:
        words = arguments(create_options(spec, {}, files, "1"), "/env")
        return [word for word in words if word.endswith(":1:2")]

    assert told(plain) == ["127.0.0.1:1:2"]
    assert told(plain._replace(exposed=True)) == ["0.0.0.0:1:2"]


def test_podman_is_told_every_restriction() -> None:
    options = CreateOptions(
        "las-0-x", "image", ("serve",), None, {"KEY": "s3cret"}, {}, (Port("http", 1, 2),), (Mount("/a,b", "/c"),),
        "1:1", None, True, ("/tmp",), 1024, 0.5, 9, None, None, Gpus(("0",), "nvidia"), "SIGTERM", True,
    )  # fmt: skip

    told = " ".join(arguments(options, "/env"))

    for words in (
        "--cap-drop ALL", "--security-opt no-new-privileges", "--read-only ", "--user 1:1", "--pids-limit 9",
        "--memory 1024b --memory-swap 1024b", "--cpus 0.5", "--publish 127.0.0.1:1:2", "--pull never",
        '--mount type=bind,"source=/a,b",target=/c,readonly=true', "--device nvidia.com/gpu=0", "--env-file /env",
    ):  # fmt: skip
        assert words in told
    assert "s3cret" not in told
    assert "--rm" not in told
    assert "--privileged" not in told


def test_docker_is_told_that_no_core_file_may_hold_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("las_jupyter.backends.docker.ensure_network", lambda api: "las-0")
    options = CreateOptions(
        "las-0-x", "image", (), None, {"KEY": "s3cret"}, {}, (), (), "1:1", None, True, (), None, None, 9, 77, None,
        Gpus(), "SIGTERM", True,
    )  # fmt: skip

    def limits(nofile: int | None) -> list[tuple[str, int, int]]:
        told = DockerEngine()._host_config(
            docker.APIClient("unix:///nowhere", version="1.41"), options._replace(nofile=nofile)
        )
        return [(each["Name"], each["Soft"], each["Hard"]) for each in told["Ulimits"]]

    assert limits(None) == [("core", 0, 0)]
    assert limits(77) == [("core", 0, 0), ("nofile", 77, 77)]
