"""
The promise of ``las_jupyter.core.backend`` as tests.

A backend that lives anywhere subclasses ``BackendContract``, gives the fixture ``backend`` and the method
``spec``, and passes. Every test ends with nothing of it left.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from las_jupyter.core.backend import Backend, Running, StartFiles
from las_jupyter.core.errors import LaunchFailed
from las_jupyter.core.launch import LaunchSpec


class Behaviour(StrEnum):
    """What a module of the suite does."""

    IDLES = "idles until TERM ends it"
    SPEAKS = "writes 'hello from the module' and idles"
    ENDS_WITH_7 = "ends by itself with exit code 7"
    DEAF = "writes 'deaf', ignores TERM and idles"
    COUNTS = "writes 'counting'; ends with 0 a moment after TERM, but with 99 at once if a second one comes"
    LEAVES_ONE = "starts a process in a session of its own that outlives it, and ends with 7"
    MISSING = "its program does not exist"


SCRIPTS = {
    Behaviour.IDLES: "exec sleep 300",
    Behaviour.SPEAKS: "echo hello from the module; exec sleep 300",
    Behaviour.ENDS_WITH_7: "exit 7",
    Behaviour.DEAF: "trap '' TERM; echo deaf; while :; do sleep 0.1; done",
    Behaviour.COUNTS: (
        "n=0; trap 'n=$((n+1)); [ $n -gt 1 ] && exit 99' TERM; echo counting;"
        " while [ $n -eq 0 ]; do sleep 0.05; done; sleep 0.2; [ $n -eq 1 ] && exit 0; exit 99"
    ),
    Behaviour.LEAVES_ONE: "setsid sleep 300 & sleep 0.2; exit 7",
}
"""The behaviours as POSIX shell scripts, for backends that can run one."""

_PATIENCE = 20.0


class BackendContract:
    """Subclass it as ``Test…`` and implement ``spec`` and the fixture ``backend``."""

    not_ours: bool | None = False
    """What it says of a listener of this user that is not of the tree; None where only another user's can be told."""

    probe_true: tuple[str, ...] = ("true",)
    probe_exits_3: tuple[str, ...] = ("sh", "-c", "exit 3")
    probe_hangs: tuple[str, ...] = ("sleep", "60")

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend under test."""
        raise NotImplementedError

    def spec(self, behaviour: Behaviour) -> LaunchSpec:
        """A launch spec of a module that behaves so."""
        raise NotImplementedError

    # ---- tools

    @pytest.fixture
    def files(self, tmp_path: Path) -> Iterator[StartFiles]:
        """Where a start keeps its things."""
        log = tmp_path / "0001-start.log"
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        yield StartFiles(str(tmp_path), str(log), fd, 1, str(tmp_path))
        os.close(fd)

    @pytest.fixture
    def launch(self, backend: Backend, files: StartFiles) -> Iterator[Callable[[Behaviour], Running]]:
        """Launch a behaviour; all that was launched is ended afterwards."""
        started: list[Running] = []

        def launch(behaviour: Behaviour) -> Running:
            running = backend.launch(self.spec(behaviour), secrets={}, files=files)
            started.append(running)
            return running

        yield launch
        for running in started:
            self.end(running)

    def end(self, running: Running) -> None:
        """End everything of ``running`` and give back what it holds."""

        def gone() -> bool:
            running.insist()
            return running.exit() is not None and not running.leftovers()

        self.until(gone)
        running.close()

    def until(self, condition: Callable[[], object], within: float = _PATIENCE) -> None:
        """Wait for ``condition``, or fail."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.01)

    def ended(self, running: Running) -> None:
        """Wait until main has ended."""

        def over() -> bool:
            running.tend()
            return running.exit() is not None

        self.until(over)

    def said(self, files: StartFiles, words: str) -> None:
        """Wait until the log holds ``words``."""
        self.until(lambda: words in Path(files.log_path).read_text())

    # ---- the promise

    def test_it_says_within_two_seconds_whether_it_can_be_used(self, backend: Backend) -> None:
        began = time.monotonic()
        why = backend.why_unavailable()
        assert time.monotonic() - began < 2.0
        assert why is None, why

    def test_a_launched_module_runs_and_can_be_named(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)

        assert running.exit() is None
        assert running.pid is not None or running.container_id is not None
        assert running.ref.id
        assert running.ref.token

    def test_what_it_writes_is_in_its_log(self, launch: Callable[[Behaviour], Running], files: StartFiles) -> None:
        launch(Behaviour.SPEAKS)

        self.said(files, "hello from the module\n")

    def test_an_exit_code_is_told_exactly_and_for_ever(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.ENDS_WITH_7)

        self.ended(running)

        first = running.exit()
        assert first is not None
        assert (first.code, first.signal) == (7, None)
        self.end(running)
        assert running.exit() == first

    def test_its_descriptor_polls_readable_when_it_has_ended(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.ENDS_WITH_7)
        poll = select.poll()
        poll.register(running.fileno(), select.POLLIN)
        deadline = time.monotonic() + _PATIENCE

        while running.exit() is None:
            assert poll.poll(max(0.0, deadline - time.monotonic()) * 1000), "it never became readable"
            running.tend()

    def test_asked_to_stop_it_ends_by_that_signal(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)

        running.ask_to_stop("SIGTERM")

        self.ended(running)
        status = running.exit()
        assert status is not None
        assert status.signal == "SIGTERM" or status.code in (0, 143)

    def test_asking_twice_sends_once(self, launch: Callable[[Behaviour], Running], files: StartFiles) -> None:
        running = launch(Behaviour.COUNTS)
        self.said(files, "counting")

        running.ask_to_stop("SIGTERM")
        running.ask_to_stop("SIGTERM")

        self.ended(running)
        status = running.exit()
        assert status is not None
        assert status.code == 0

    def test_what_ignores_the_signal_is_ended_by_insisting(
        self, launch: Callable[[Behaviour], Running], files: StartFiles
    ) -> None:
        running = launch(Behaviour.DEAF)
        self.said(files, "deaf")
        running.ask_to_stop("SIGTERM")

        self.end(running)

        status = running.exit()
        assert status is not None
        assert status.signal == "SIGKILL" or status.code == 137

    def test_insisting_again_and_again_harms_nothing(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)

        for _ in range(3):
            running.insist()

        self.ended(running)
        running.insist()
        assert running.leftovers() == ()

    def test_what_outlives_its_main_process_is_seen_and_ended(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.LEAVES_ONE)
        self.ended(running)
        left = running.leftovers()

        self.end(running)

        assert len(left) <= 1
        assert running.leftovers() == ()

    def test_a_missing_program_fails_the_launch_with_its_cause(self, backend: Backend, files: StartFiles) -> None:
        with pytest.raises(LaunchFailed) as caught:
            backend.launch(self.spec(Behaviour.MISSING), secrets={}, files=files)

        assert caught.value.cause

    def test_a_running_module_is_taken_over_without_disturbing_it(
        self, backend: Backend, launch: Callable[[Behaviour], Running], files: StartFiles
    ) -> None:
        first = launch(Behaviour.IDLES)

        second = backend.adopt(first.ref, self.spec(Behaviour.IDLES), files=files)

        assert second is not None
        assert second.exit() is None
        assert second.ref == first.ref
        assert (second.pid, second.container_id) == (first.pid, first.container_id)
        second.ask_to_stop("SIGTERM")
        self.ended(second)
        second.close()

    def test_a_stranger_with_our_number_is_not_ours(
        self, backend: Backend, launch: Callable[[Behaviour], Running], files: StartFiles
    ) -> None:
        running = launch(Behaviour.IDLES)
        stranger = running.ref._replace(token="another:1:1:" + "0" * 32)

        assert backend.adopt(stranger, self.spec(Behaviour.IDLES), files=files) is None

        assert running.exit() is None

    def test_a_listener_that_is_not_of_the_tree_is_not_believed(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)
        with socket.create_server(("127.0.0.1", 0)) as stranger:
            port = stranger.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as connection:
                waiting = running.owns_connection(port, connection.getsockname()[1])
                with stranger.accept()[0]:
                    accepted = running.owns_connection(port, connection.getsockname()[1])

            assert {running.owns_listener(port), waiting, accepted} <= {self.not_ours}

        assert running.owns_listener(port) is None, "nobody listens there"

    def test_what_others_open_to_the_network_is_not_held_against_it(
        self, launch: Callable[[Behaviour], Running]
    ) -> None:
        running = launch(Behaviour.IDLES)
        with socket.create_server(("0.0.0.0", 0)):  # noqa: S104 - a stranger
            assert running.open_listeners() == ()

    def test_what_is_gone_cannot_be_taken_over(
        self, backend: Backend, launch: Callable[[Behaviour], Running], files: StartFiles
    ) -> None:
        running = launch(Behaviour.ENDS_WITH_7)
        ref = running.ref
        self.ended(running)
        self.end(running)

        assert backend.adopt(ref, self.spec(Behaviour.IDLES), files=files) is None

    def test_its_use_of_the_machine_is_told(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)

        self.until(lambda: running.usage().memory > 0)
        usage = running.usage()

        assert usage.processes >= 1
        assert usage.source
        assert running.progress() >= 0

    def test_a_command_probe_tells_its_exit_code(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)

        assert self.probe(running, self.probe_true) == 0
        assert self.probe(running, self.probe_exits_3) == 3

    def test_a_command_probe_that_hangs_is_ended_and_answers_124(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)

        assert self.probe(running, self.probe_hangs, timeout=0.3) == 124
        assert running.exit() is None

    def probe(self, running: Running, argv: tuple[str, ...], timeout: float = 10.0) -> int:
        """The answer of a command probe, asked as the supervisor asks."""
        answers: list[int] = []

        def answered() -> bool:
            code = running.run_probe(argv, timeout)
            if code is not None:
                answers.append(code)
            return bool(answers)

        self.until(answered)
        return answers[0]

    def test_it_answers_quickly_while_the_module_runs(self, launch: Callable[[Behaviour], Running]) -> None:
        running = launch(Behaviour.IDLES)
        began = time.monotonic()

        running.tend()
        running.exit()

        assert time.monotonic() - began < 0.5
