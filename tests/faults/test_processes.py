"""Trees that do not want to end, and ends of every kind. Numbers are rows of the fault catalogue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from native_house import FAKE_SERVER, House, eventually, lives, pid_in

from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import Limits, RestartRule, StopRule
from las_jupyter.core.states import ProcessState, RestartPolicy

pytestmark = pytest.mark.native


def test_07_workers_of_a_killed_main_process_are_ended_before_it_counts_as_gone(house: House, tmp_path: Path) -> None:
    snapshot = house.start(f"daemon={tmp_path / 'daemon'}", f"child={tmp_path / 'child'}")
    workers = [pid_in(tmp_path / "daemon"), pid_in(tmp_path / "child")]

    os.kill(snapshot.pid or 0, signal.SIGKILL)

    ended = house.until(ProcessState.FAILED)
    assert not [pid for pid in workers if lives(pid)]
    assert ended.exit
    assert (ended.exit.signal, ended.exit.requested) == ("SIGKILL", False)
    assert "2 of its processes outlived it" in ended.exit.text
    assert house.manager.start(house.spec(), {}).snapshot.generation == 2


def test_09_a_stopped_server_is_unhealthy_and_can_be_stopped(house: House) -> None:
    snapshot = house.start(served=True)
    os.kill(snapshot.pid or 0, signal.SIGSTOP)
    eventually(lambda: house.manager.snapshot("one").health.state == "unhealthy", "it is unhealthy")
    began = time.monotonic()

    ended = house.manager.stop("one", grace=3)

    assert time.monotonic() - began < 4
    assert ended.exit
    assert (ended.exit.code, ended.exit.requested) == (0, True)


def test_10_a_server_that_ignores_the_stop_signal_is_killed_after_its_grace(house: House) -> None:
    house.start("deaf", stop=StopRule(grace=0.5))
    began = time.monotonic()

    ended = house.manager.stop("one")

    assert 0.5 <= time.monotonic() - began < 2.0
    assert ended.exit
    assert (ended.exit.signal, ended.exit.requested) == ("SIGKILL", True)
    assert "after its grace" in ended.exit.text


def test_11_a_slow_stop_gets_its_grace_and_one_signal(house: House) -> None:
    house.start("stop_takes=1.5", stop=StopRule(grace=30.0))

    ended = house.manager.stop("one")

    assert ended.exit
    assert ended.exit.code == 0
    assert house.log().count(b"got a stop signal") == 1


def test_11_a_second_stop_can_shorten_the_grace(house: House) -> None:
    from las_jupyter.runtime.client import ask

    house.start("stop_takes=60", stop=StopRule(grace=50.0))
    ask(house.paths.socket("one"), "stop")
    began = time.monotonic()

    ended = house.manager.stop("one", grace=0.2)

    assert time.monotonic() - began < 3
    assert ended.exit
    assert ended.exit.signal == "SIGKILL"


@pytest.mark.parametrize("title", [(), ("title",)], ids=["plain", "with its title and environment overwritten"])
def test_13_a_double_forked_daemon_does_not_outlive_a_stop(
    house: House, tmp_path: Path, title: tuple[str, ...]
) -> None:
    house.start(f"daemon={tmp_path / 'daemon'}", *title)
    daemon = pid_in(tmp_path / "daemon")

    house.manager.stop("one")

    assert not lives(daemon)


def test_14_a_tree_that_forks_all_the_time_is_ended(house: House) -> None:
    for _ in range(5):
        house.start("hop=20")
        began = time.monotonic()

        house.manager.stop("one")

        assert time.monotonic() - began < 2.0
        assert not [line for line in house.processes().values() if FAKE_SERVER in line]


def test_16_what_main_does_not_reap_does_not_pile_up_at_the_supervisor(house: House, tmp_path: Path) -> None:
    snapshot = house.start("zombie", f"daemon={tmp_path / 'daemon'}")
    os.kill(pid_in(tmp_path / "daemon"), signal.SIGKILL)

    def zombies() -> list[str]:
        children = Path(f"/proc/{snapshot.supervisor_pid}/task/{snapshot.supervisor_pid}/children").read_text().split()
        return [pid for pid in children if not lives(int(pid))]

    eventually(lambda: not zombies(), "the orphan was reaped")


def test_17_an_end_is_told_though_a_grandchild_holds_the_log_open(house: House, tmp_path: Path) -> None:
    house.start(f"daemon={tmp_path / 'daemon'}", f"after_file={tmp_path / 'end'}:4")
    pid_in(tmp_path / "daemon")
    (tmp_path / "end").touch()
    began = time.monotonic()

    ended = house.until(ProcessState.FAILED)

    assert time.monotonic() - began < 1.5
    assert ended.exit
    assert ended.exit.code == 4


@pytest.mark.parametrize(
    ("argv", "cause"),
    [
        (("no-such-program",), "No such file"),
        (("/etc/passwd",), "Permission denied"),
        (("{tmp}/script",), "interpreter"),
        (("{tmp}/garbage",), "Exec format error"),
        (("true", "x" * 3_000_000), "too long"),
    ],
)
def test_46_a_program_that_cannot_be_run_fails_at_once_with_its_cause(
    house: House, tmp_path: Path, argv: tuple[str, ...], cause: str
) -> None:
    for name, content in (("script", "#!/no/such/interpreter\n"), ("garbage", "\0\1\2\3garbage")):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    spec = house.spec()._replace(argv=tuple(word.replace("{tmp}", str(tmp_path)) for word in argv))

    with pytest.raises(LaunchFailed) as caught:
        house.manager.start(spec, {})

    assert cause in str(caught.value.cause)
    ended = house.manager.snapshot("one")
    assert (ended.state, ended.exit) == (ProcessState.FAILED, None)


def test_46_a_missing_folder_is_named(house: House, tmp_path: Path) -> None:
    with pytest.raises(LaunchFailed) as caught:
        house.manager.start(house.spec(cwd=str(tmp_path / "nowhere")), {})

    assert "nowhere" in str(caught.value.cause)


@pytest.mark.parametrize("code", [0, 1, 127])
def test_47_an_exit_code_is_kept_exactly(house: House, code: int) -> None:
    house.manager.start(house.spec(f"ends=0.1:{code}"), {})
    house.manager.wait_ready("one")

    ended = eventually(lambda: (s := house.manager.snapshot("one")).exit and s, "it ended")

    assert ended.exit
    assert (ended.exit.code, ended.exit.signal, ended.exit.requested) == (code, None, False)
    assert house.until(ProcessState.STOPPED if code == 0 else ProcessState.FAILED)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT"])
def test_47_an_end_by_a_signal_is_told_by_name_and_leaves_no_core(house: House, tmp_path: Path, name: str) -> None:
    house.manager.start(house.spec(f"dies={name}", cwd=str(tmp_path)), {})

    ended = house.until(ProcessState.FAILED)

    assert ended.exit
    assert (ended.exit.code, ended.exit.signal) == (None, name)
    assert name in ended.reason
    assert not list(tmp_path.glob("core*"))


def test_48_a_memory_limit_nobody_else_keeps_is_kept_by_the_supervisor(house: House) -> None:
    house.manager.start(house.spec("memory=200", limits=Limits(memory=64 * 2**20)), {})

    ended = house.until(ProcessState.FAILED)

    assert "memory" in ended.reason
    assert ended.enforcement["memory"] in ("watched", "cgroup v1", "cgroup v2", "systemd scope")


def test_49_a_crash_is_not_retried_unless_configured(house: House) -> None:
    house.manager.start(house.spec("ends=0:1"), {})

    ended = house.until(ProcessState.FAILED)

    assert (ended.generation, ended.restarts) == (1, 0)
    assert [event.event for event in house.manager.events("one")].count("Launched") == 1


def test_50_a_configured_restart_is_visible_counted_and_given_up(house: House) -> None:
    rule = RestartRule(RestartPolicy.ON_FAILURE, first=0.1, factor=2.0, max_tries=2)
    house.manager.start(house.spec("ends=0:1", restart=rule), {})
    waiting = house.until(ProcessState.BACKOFF)

    ended = house.until(ProcessState.FAILED)

    assert "restart" in waiting.reason
    assert waiting.next_restart_at
    assert (ended.generation, ended.restarts) == (3, 2)
    assert "given up after 2 restarts" in ended.reason
    logs = sorted(Path(house.paths.logs("one")).glob("*.log"))
    assert [log.name[:4] for log in logs] == ["0001", "0002", "0003"]
    told = [event.event for event in house.manager.events("one")]
    assert told.count("Launched") == 3


def test_50_a_stop_during_the_wait_for_a_restart_ends_it_at_once(house: House) -> None:
    rule = RestartRule(RestartPolicy.ON_FAILURE, first=60.0)
    house.manager.start(house.spec("ends=0:1", restart=rule), {})
    house.until(ProcessState.BACKOFF)
    began = time.monotonic()

    assert house.manager.stop("one").state is ProcessState.STOPPED

    assert time.monotonic() - began < 1.0


def test_a_requested_stop_is_never_restarted(house: House) -> None:
    house.start(restart=RestartRule(RestartPolicy.ALWAYS, first=0.05))

    house.manager.stop("one")

    assert house.manager.snapshot("one").state is ProcessState.STOPPED


def test_51_few_descriptors_in_the_kernel_make_a_clear_error_and_no_leak(house: House) -> None:
    house.start(name="other")
    code = (
        "import sys, resource, os; sys.path.insert(0, sys.argv[1])\n"
        "from las_jupyter.runtime.manager import Manager\n"
        "from las_jupyter.state.paths import StatePaths\n"
        "house = Manager(StatePaths(sys.argv[2], sys.argv[3]))\n"
        "spec = house.spec('other')._replace(name='one')\n"
        "held = []\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "try:\n"
        "    while True: held.append(os.open('/dev/null', 0))\n"
        "except OSError: os.close(held.pop())\n"
        "try: house.start(spec, {})\n"
        "except Exception as error: print(error.lines() if hasattr(error, 'lines') else error)\n"
    )
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", code, root, house.paths.state_dir, house.paths.log_dir]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "Too many open files" in told
    assert house.manager.snapshot("other").state is ProcessState.RUNNING
    assert [each.name for each in house.manager.snapshots() if each.state.alive] == ["other"]


def test_53_a_supervisor_works_on_after_its_package_was_deleted(house: House, tmp_path: Path) -> None:
    import shutil

    root = Path(__file__).parents[2]
    copy = tmp_path / "site"
    shutil.copytree(root / "las_jupyter", copy / "las_jupyter", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from las_jupyter.runtime.manager import Manager\n"
        "from las_jupyter.core.launch import LaunchSpec\n"
        "from las_jupyter.core.wire import from_json\n"
        "from las_jupyter.state.paths import StatePaths\n"
        "house = Manager(StatePaths(sys.argv[2], sys.argv[3]))\n"
        "house.start(from_json(LaunchSpec, sys.argv[4]), {}); house.wait_ready('one')\n"
    )
    from las_jupyter.core.wire import to_json

    rule = RestartRule(RestartPolicy.ON_FAILURE, first=0.1)
    spec = house.spec(f"after_file={tmp_path / 'end'}:1", f"daemon={tmp_path / 'daemon'}", restart=rule)
    command = [sys.executable, "-c", code, str(copy), house.paths.state_dir, house.paths.log_dir, to_json(spec)]
    subprocess.run(command, check=True)
    shutil.rmtree(copy)

    (tmp_path / "end").touch()
    house.until(ProcessState.BACKOFF)
    (tmp_path / "end").unlink()
    again = house.until(ProcessState.RUNNING)
    assert again.generation == 2
    assert house.manager.usage("one")
    assert house.manager.stop("one").exit


def test_a_server_sees_neither_the_notebook_nor_a_gpu_nobody_asked_for(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JPY_PARENT_PID", "MPLBACKEND", "PYDEVD_USE_FRAME_EVAL", "VSCODE_PID", "LAS_JUPYTER_RUNTIME__LOG_DIR"):
        monkeypatch.setenv(name, "notebook")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("HF_HOME", "/models")
    house.start(f"env={tmp_path / 'env'}", env={"MINE": "yes"})

    seen = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())

    assert not [name for name, value in seen.items() if value == "notebook"]
    assert seen["CUDA_VISIBLE_DEVICES"] == seen["HIP_VISIBLE_DEVICES"] == ""
    assert (seen["MINE"], seen["HF_HOME"], seen["PYTHONUNBUFFERED"]) == ("yes", "/models", "1")


def test_a_server_inherits_no_descriptor_and_no_blocked_signal(house: House) -> None:
    snapshot = house.start()

    names = {fd.name: str(fd.readlink()) for fd in Path(f"/proc/{snapshot.pid}/fd").iterdir()}
    status = Path(f"/proc/{snapshot.pid}/status").read_text()

    assert set(names) == {"0", "1", "2"}
    assert names["0"] == "/dev/null"
    assert names["1"] == names["2"] == snapshot.log_path
    masks = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines() if line.startswith("Sig")
             and line.split()[0] in ("SigBlk:", "SigIgn:")}  # fmt: skip
    assert masks["SigBlk"] == 0
    assert masks["SigIgn"] & (1 << (signal.SIGINT - 1)) == 0
    adjusted = int(Path(f"/proc/{snapshot.pid}/oom_score_adj").read_text())
    assert adjusted > int(Path(f"/proc/{snapshot.supervisor_pid}/oom_score_adj").read_text())


def test_a_secret_travels_by_environment_or_private_file_and_never_by_argv(house: House, tmp_path: Path) -> None:
    from las_jupyter.core.launch import SecretUse

    uses = (SecretUse("api_key", env="SERVER_KEY"), SecretUse("file_key", file=True))
    spec = house.spec(f"env={tmp_path / 'env'}", "says={secret_file:file_key}", secrets=uses)
    house.manager.start(spec, {"api_key": "sesame-open-1", "file_key": "sesame-open-2"})
    snapshot = house.manager.wait_ready("one")

    assert "SERVER_KEY=sesame-open-1" in (tmp_path / "env").read_text()
    path = Path(house.log().split(b"\n")[0].decode())
    assert path.read_text().strip() == "sesame-open-2"
    assert path.stat().st_mode & 0o777 == 0o600
    shown = Path(f"/proc/{snapshot.pid}/cmdline").read_bytes()
    kept = [Path(house.paths.spec("one")), Path(house.paths.state("one")), Path(house.paths.events("one"))]
    assert not [each for each in [shown, *(file.read_bytes() for file in kept)] if b"sesame" in each]
    assert FAKE_SERVER.encode() in shown
