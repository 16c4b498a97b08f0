"""Images that have to be fetched first, from a registry on this machine: told layer by layer, given up, refused."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import ask, ready_engine
from native_house import eventually
from processes import supervisors_of
from registry import Registry
from small_house import Listener

from las_jupyter.core.errors import LasError, LaunchFailed
from las_jupyter.core.request import StartPlan
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import ProcessState
from las_jupyter.stack.stack import Stack

pytest_plugins = ("servers",)
pytestmark = pytest.mark.usefixtures("clean_end")
ENGINES = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("podman", marks=pytest.mark.podman)]

MANIFEST = """
name: puller
runtime: {{modes: [container]}}
launch:
  container: {{image: "{image}", argv: [sh, -c, "echo up; exec sleep 600"]}}
health: {{ready: {{log: "^up$"}}}}
stop: {{grace: 1s}}
"""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    ready_engine(name)
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE", name)
    return name


@pytest.fixture
def registry(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    served = Registry(layers=3, size=2**21)
    # Docker takes a registry on the loopback without TLS; Podman wants to be told.
    settings = tmp_path / "registries.conf"
    settings.write_text(f'[[registry]]\nlocation = "{served.image.partition("/")[0]}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(settings))
    yield served
    served.close()
    Stack().stop(all=True)
    if ask(engine, "images", "-q", served.image):
        ask(engine, "rmi", "-f", served.image)


class Start(threading.Thread):
    """A start of the image ``image`` in a thread of its own, by a client of its own."""

    def __init__(self, folder: Path, image: str) -> None:
        super().__init__(daemon=True)
        self.listener = Listener()
        self.stack = Stack(reporter=lambda: self.listener)
        self.manifest = folder / "manifest.yaml"
        self.manifest.write_text(MANIFEST.format(image=image))
        self.error: LasError | None = None

    def run(self) -> None:
        try:
            self.stack.start(str(self.manifest))
        except LasError as error:
            self.error = error

    def done(self) -> Start:
        self.join(60)
        assert not self.is_alive(), "the start has not come to an end"
        return self


def half_fetched() -> Snapshot:
    """The instance once some of its image is here."""

    def look() -> Snapshot | None:
        for snapshot in Stack().snapshots():
            if snapshot.fetching and snapshot.fetching.layers == 3 and snapshot.fetching.done:
                return snapshot
        return None

    return eventually(look, "some of the image is here", within=30)


def nothing_is_left(engine: str) -> None:
    assert ask(engine, "ps", "-aq", "--filter", "label=las.instance=puller") == ""
    assert not list(Path(os.environ["LAS_JUPYTER_STATE_DIR"]).rglob("pull.json"))


def test_a_fetch_is_told_layer_by_layer_and_the_instance_knows_its_image(registry: Registry, tmp_path: Path) -> None:
    registry.rate = 2**20
    start = Start(tmp_path, registry.image)
    start.start()

    snapshot = half_fetched()
    shown = repr(Stack().status())
    start.done()

    assert snapshot.state is ProcessState.STARTING
    assert snapshot.health.phase is not None
    assert f"pulling {registry.image}: 0 of 3 layers, " in snapshot.health.phase
    assert "◌ starting: pulling its image" in shown
    assert f"pulling {registry.image}: " in shown
    told = [
        text for text, fraction in start.listener.updates if f"puller: pulling {registry.image}: " in text and fraction
    ]
    assert told
    assert start.error is None
    after = Stack().snapshot("puller")
    assert (after.image, after.fetching) == (registry.exact, None)
    assert f"puller runs the image {registry.exact}" in repr(Stack().status("puller"))


def test_a_plan_says_whether_the_image_is_here_and_which_one_it_is(registry: Registry, tmp_path: Path) -> None:
    start = Start(tmp_path, registry.image)

    def reason(plan: StartPlan) -> str:
        return next(each.reason for each in plan.decisions if each.subject == "image")

    before = start.stack.plan(str(start.manifest))
    start.start()
    start.done()
    after = start.stack.plan(str(start.manifest))
    compared = start.stack.plan(str(start.manifest), compare=True)

    moves = "; its tag moves: it names no version, and may mean another image tomorrow"
    assert (before.image, reason(before)) == (None, f"it is not here yet and will be pulled{moves}")
    assert (after.image, reason(after)) == (registry.exact, f"it is here as {registry.exact}{moves}")
    assert before.spec.fingerprint == after.spec.fingerprint
    assert registry.exact in repr(compared).replace("\n", "").replace(" ", "")


def test_a_tag_that_was_given_to_another_image_is_told_with_both_digests(
    registry: Registry, engine: str, tmp_path: Path
) -> None:
    start = Start(tmp_path, registry.image)
    start.start()
    start.done()
    first = registry.exact
    registry.change()
    ask(engine, "pull", registry.image)

    def told() -> str:
        return next(each.reason for each in start.stack.plan(str(start.manifest)).decisions if each.subject == "image")

    not_started = told()
    start.stack.stop("puller")
    again = Start(tmp_path, registry.image)
    again.start()
    again.done()

    assert again.error is None
    assert registry.exact != first
    assert f"it is here as {registry.exact}; this name meant {first} before" in not_started
    assert told() == not_started


@pytest.mark.parametrize("rate", [2**16, 2**12], ids=["slow", "stalled"])
def test_a_stop_ends_a_fetch_at_once(registry: Registry, engine: str, tmp_path: Path, rate: int) -> None:
    registry.rate = rate
    start = Start(tmp_path, registry.image)
    start.start()
    half_fetched()

    begun = time.monotonic()
    told = Stack().stop("puller")
    took = time.monotonic() - begun
    start.done()

    assert "stopped" in str(told)
    assert Stack().snapshot("puller").state is ProcessState.STOPPED
    assert isinstance(start.error, LaunchFailed)
    assert "it was stopped while" in (start.error.cause or "")
    assert took < 8
    eventually(lambda: not supervisors_of(os.environ["LAS_JUPYTER_STATE_DIR"]), "its supervisor has ended")
    registry.rate = 2**16  # Docker ends the fetch at once, and a silent connection only at its next byte
    eventually(lambda: not registry.sending, "nobody fetches any more", within=15)
    nothing_is_left(engine)


def test_a_second_client_waits_for_the_same_fetch(registry: Registry, tmp_path: Path) -> None:
    registry.rate = 2**17
    first = Start(tmp_path, registry.image)
    first.start()
    half_fetched()
    second = Start(tmp_path, registry.image)
    second.start()
    eventually(lambda: second.listener.notes, "the second one says that it waits for the first")
    assert "Reusing puller" in second.listener.notes[0]
    assert Stack().snapshot("puller").fetching
    registry.rate = None

    assert (first.done().error, second.done().error) == (None, None)
    assert Stack().snapshot("puller").generation == 1


def test_a_restart_begins_the_fetch_again(registry: Registry, tmp_path: Path) -> None:
    registry.rate = 2**16
    start = Start(tmp_path, registry.image)
    start.start()
    half_fetched()
    again = threading.Thread(target=lambda: Stack().restart("puller"), daemon=True)
    again.start()
    eventually(lambda: Stack().snapshot("puller").generation == 2, "it begins again")
    registry.rate = None
    again.join(40)

    assert start.done().error is None
    after = Stack().snapshot("puller")
    assert (after.state, after.generation, after.image) == (ProcessState.RUNNING, 2, registry.exact)


def test_a_supervisor_that_dies_leaves_nobody_fetching(registry: Registry, engine: str, tmp_path: Path) -> None:
    registry.rate = 2**15
    start = Start(tmp_path, registry.image)
    start.start()
    pid = half_fetched().supervisor_pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    start.done()

    eventually(lambda: not registry.sending, "nobody fetches any more", within=15)
    after = eventually(lambda: Stack().snapshot("puller"), "a new supervisor looked")
    assert (after.state, after.fetching) == (ProcessState.FAILED, None)
    assert start.error is not None


def test_a_tag_that_does_not_exist_is_said_in_a_sentence(registry: Registry, engine: str, tmp_path: Path) -> None:
    start = Start(tmp_path, registry.image.removesuffix(":1") + ":2")
    start.start()

    error = start.done().error

    assert error is not None
    assert "its registry has no such image or tag" in (error.cause or "")
    assert "launch.container.image" in (error.remedy or "")
    nothing_is_left(engine)


def test_a_connection_that_is_cut_is_said_in_a_sentence(registry: Registry, engine: str, tmp_path: Path) -> None:
    registry.cut_after = 2**19
    start = Start(tmp_path, registry.image)
    start.start()

    error = start.done().error

    assert error is not None
    assert "the connection was cut before all of it was here" in (error.cause or "")
    assert error.remedy == f"{engine} pull {registry.image}"
    assert Stack().snapshot("puller").state is ProcessState.FAILED
    nothing_is_left(engine)
