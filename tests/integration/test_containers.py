"""Real containers of both engines: what is told of their ends, their logs, their restrictions and our refusals."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import BASE, IMAGES, ask, ready_engine
from processes import eventually

from las_jupyter.backends.oci_backend import OciBackend
from las_jupyter.backends.oci_running import OciRunning
from las_jupyter.backends.table import load_backend
from las_jupyter.core.backend import ExitStatus, StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import ContainerSpec, LaunchSpec, Limits, Mount, Port, SecretUse
from las_jupyter.core.states import Mode
from las_jupyter.limits.tree import members
from las_jupyter.resources.accounts import number_for

ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]
pytest_plugins = ("servers",)
LLAMA_IMAGE = "ghcr.io/ggml-org/llama.cpp:server-b11347"

Launch = Callable[..., OciRunning]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    ready_engine(name)
    return name


@pytest.fixture
def files(tmp_path: Path) -> Iterator[StartFiles]:
    folder = tmp_path / "instance"
    folder.mkdir()
    log = folder / "0001.log"
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    yield StartFiles(str(folder), str(log), fd, 1, str(tmp_path))
    os.close(fd)


def spec(engine: str, script: str, **more: object) -> LaunchSpec:
    image = ContainerSpec(BASE, user="65534:65534", pull="never")
    plain = LaunchSpec(f"trial-{os.getpid()}", "script", Mode.CONTAINER, engine, ("sh", "-c", script), container=image)
    return plain._replace(**more)  # type: ignore[arg-type]


@pytest.fixture
def launch(engine: str, files: StartFiles) -> Iterator[Launch]:
    started: list[OciRunning] = []

    def start(script: str, keys: dict[str, str] | None = None, **more: object) -> OciRunning:
        backend = load_backend(engine)
        running = backend.launch(spec(engine, script, **more), secrets=keys or {}, files=files)
        assert isinstance(running, OciRunning)
        started.append(running)
        return running

    yield start
    for running in started:
        running.insist()
        end_of(running)
        running.close()
    assert ask(engine, "ps", "-aq", "--filter", f"label=las.instance=trial-{os.getpid()}") == ""


def end_of(running: OciRunning) -> ExitStatus:
    eventually(lambda: running.exit() is not None, "it ended", within=30)
    status = running.exit()
    assert status is not None
    return status


def text(files: StartFiles) -> str:
    return Path(files.log_path).read_text(errors="replace")


def test_it_has_the_shared_memory_it_was_promised(launch: Launch, files: StartFiles) -> None:
    end_of(launch("df -k /dev/shm | tail -1", limits=Limits(shm=24 * 2**20)))

    assert "24576" in text(files)


def test_a_folder_of_its_own_is_its_users_also_with_what_root_wrote_there(launch: Launch, files: StartFiles) -> None:
    folder = Path(files.state_dir) / "data" / "one"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "old").write_text("old")
    folder.chmod(0o700)

    user = 65534 if os.geteuid() == 0 else os.geteuid()  # only root can give a folder away

    end_of(
        launch(
            "id -u; echo new >/data/deep/old && cat /data/deep/old",
            mounts=(Mount(str(folder), "/data", True),),
            container=ContainerSpec(BASE, user=f"{user}:{user}", pull="never"),
        )
    )

    assert text(files) == f"{user}\nnew\n"


def test_what_an_earlier_version_wrote_as_1000_can_be_written_by_a_number_that_nobody_has(
    launch: Launch, files: StartFiles
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a program of somebody else")
    folder = Path(files.state_dir) / "data" / "one"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "old").write_text("old")
    for path in (folder, folder / "old"):
        os.chown(path, 1000, 1000)
    spare = number_for("one")

    running = launch(
        "echo new >/data/old; id -u; exec sleep 300",
        mounts=(Mount(str(folder), "/data", True),),
        container=ContainerSpec(BASE, user=f"{spare}:{spare}", pull="never"),
    )

    eventually(lambda: f"{spare}\n" in text(files), "it runs")
    assert (folder / "old").read_text() == "new\n"
    assert running.pid
    assert {Path(f"/proc/{each.pid}").stat().st_uid for each in members(running.pid)} == {spare}


def test_every_restriction_is_on(engine: str, launch: Launch, files: StartFiles) -> None:
    end_of(
        launch(
            "id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; touch /x; touch /tmp/y && echo tmp;"
            " cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/pids/pids.max",
            limits=Limits(memory=64 * 2**20, pids=32),
        )
    )

    told = text(files)
    assert told.startswith("65534\n")
    assert told.count("0000000000000000") == 2
    assert "NoNewPrivs:\t1" in told
    assert "Seccomp:\t2" in told
    assert "/x: Read-only file system" in told
    assert "tmp\n" in told
    if Path("/sys/fs/cgroup/memory").exists() and enforces_limits(engine):
        assert "67108864\n32\n" in told


def enforces_limits(engine: str) -> bool:
    backend = load_backend(engine)
    assert isinstance(backend, OciBackend)
    return backend.engine().limits_enforced()


def test_out_of_memory_is_told_from_a_kill(engine: str, launch: Launch) -> None:
    if not enforces_limits(engine):
        pytest.skip("this engine may make no cgroup: test_rootless has what we do then")
    status = end_of(launch("exec tail -c 200m /dev/zero", limits=Limits(memory=32 * 2**20)))

    assert (status.signal, status.oom) == ("SIGKILL", True)


def test_a_kill_by_somebody_else_is_no_lack_of_memory(launch: Launch, engine: str) -> None:
    running = launch("exec sleep 300")

    ask(engine, "kill", str(running.container_id))

    status = end_of(running)
    assert (status.signal, status.oom) == ("SIGKILL", False)
    assert "somebody else" in status.evidence


def test_a_container_removed_behind_our_back_is_an_end_nobody_saw(launch: Launch, engine: str) -> None:
    running = launch("exec sleep 300")

    # Without a time Podman sends TERM first, and that end would be seen.
    at_once = ("--time", "0") if engine == "podman" else ()
    ask(engine, "rm", "-f", *at_once, str(running.container_id))

    status = end_of(running)
    assert status.code is None
    assert not status.oom
    # Between the kill and the removal the end may be seen.
    assert "removed" in status.evidence or status.signal == "SIGKILL"


def test_no_line_is_lost_or_doubled_when_the_collector_dies(launch: Launch, files: StartFiles, engine: str) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i%100)) = 0 ] && sleep 0.05; done"
    first = launch(script)
    eventually(lambda: "line 500\n" in text(files), "some was collected", within=20)
    first._collector.abandon()
    first._collecting.join(10)

    second = load_backend(engine).adopt(first.ref, spec(engine, script), files=files._replace(log_fd=-1))

    assert isinstance(second, OciRunning)
    assert end_of(second).code == 0
    assert text(files).splitlines() == [f"line {number}" for number in range(3000)]


def test_bytes_arrive_as_they_were_written(launch: Launch, files: StartFiles) -> None:
    end_of(launch("head -c 40000 /dev/zero | tr '\\0' x; echo; printf 'no end of line'"))

    assert text(files) == "x" * 40000 + "\nno end of line"


def test_a_secret_travels_by_environment_and_stands_in_no_command_line(
    launch: Launch, files: StartFiles, engine: str
) -> None:
    script = "echo $KEY; exec sleep 300"
    running = launch(script, {"api_key": "s3cret"}, secrets=(SecretUse("api_key", env="KEY"),))
    assert isinstance(running, OciRunning)

    eventually(lambda: "s3cret\n" in text(files), "it was told")
    assert "s3cret" not in ask(engine, "inspect", "--format", "{{.Path}} {{.Args}}", str(running.container_id))
    assert not (Path(files.instance_dir) / "podman.env").exists()


def test_ports_are_published_on_this_machine_only(launch: Launch, engine: str) -> None:
    running = launch("exec sleep 300", ports=(Port("http", 18931, 8080),))

    assert ask(engine, "port", str(running.container_id)) == "8080/tcp -> 127.0.0.1:18931"


def test_ports_of_an_exposed_server_are_published_on_all_addresses(launch: Launch, engine: str) -> None:
    running = launch("exec sleep 300", ports=(Port("http", 18932, 8080),), exposed=True)

    assert "8080/tcp -> 0.0.0.0:18932" in ask(engine, "port", str(running.container_id)).splitlines()


def test_a_foreign_container_of_our_name_is_refused_and_not_touched(engine: str, files: StartFiles) -> None:
    name = f"las-{os.getuid()}-trial-{os.getpid()}"
    ask(engine, "create", "--name", name, BASE, "sleep", "1")
    try:
        with pytest.raises(LaunchFailed, match="could not be started") as caught:
            load_backend(engine).launch(spec(engine, "true"), secrets={}, files=files)

        assert "is not ours; it was not touched" in str(caught.value.cause)
        assert ask(engine, "inspect", "--format", "{{.State.Status}}", name) == "created"
    finally:
        ask(engine, "rm", "-f", name)


def test_bad_input_is_told_in_one_sentence_and_leaves_nothing(engine: str, files: StartFiles) -> None:
    taken = subprocess.Popen(
        ["python3", "-c", "import socket,time; s=socket.create_server(('127.0.0.1',18932)); print('.',flush=True);"
         " time.sleep(60)"], stdout=subprocess.PIPE,
    )  # fmt: skip
    assert taken.stdout is not None
    taken.stdout.readline()
    image = ContainerSpec(BASE, user="65534:65534", pull="never")
    wrong: dict[str, dict[str, object]] = {
        "is not here": {"container": image._replace(image="localhost/no-such:1")},
        "does not exist": {"mounts": (Mount("/no/such/place", "/data"),)},
        "taken by another program": {"ports": (Port("http", 18932, 80),)},
    }
    if enforces_limits(engine):
        wrong["too small"] = {"limits": Limits(memory=300_000)}
    try:
        for cause, change in wrong.items():
            with pytest.raises(LaunchFailed) as caught:
                load_backend(engine).launch(spec(engine, "sleep 5", **change), secrets={}, files=files)
            assert cause in str(caught.value.cause), caught.value.lines()
            assert caught.value.remedy
            assert ask(engine, "ps", "-aq", "--filter", f"name=trial-{os.getpid()}") == ""
    finally:
        taken.kill()
        taken.wait()


@pytest.mark.llamacpp
def test_llama_cpp_answers_from_a_container_with_all_restrictions_on(
    engine: str,
    smollm2: str,
    clean_end: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    import httpx

    import las_jupyter as las

    subprocess.run([IMAGES / "llama-image", sys.executable, LLAMA_IMAGE, engine], check=True, capture_output=True)
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE", engine)

    llm = las.start("llama.cpp", mode="container", memory="700MB", timeout=120)

    began = time.monotonic()
    answer = httpx.post(
        f"{llm.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {llm.api_key}"},
        json={"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"]
    assert llm.mode == "container"
    assert llm.container_id
    assert time.monotonic() - began < 60
    inspected = ask(engine, "inspect", str(llm.container_id))
    assert '"ReadonlyRootfs": true' in inspected
    llm.stop()
    assert llm.state == "stopped"
    llm.remove()
    assert ask(engine, "ps", "-aq", "--filter", "label=las.instance=llama.cpp") == ""
