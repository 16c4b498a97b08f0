"""A port that passed into strange hands is not believed, not told a key, and not talked to by a client of ours."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from native_house import FAKE_SERVER, House, eventually, lives

from las_jupyter.core.errors import BadRequest, PortTaken
from las_jupyter.core.launch import CommandProbe, LaunchSpec, LiveRule, Progress, RestartRule, SecretUse
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import HealthState, ProcessState, RestartPolicy
from las_jupyter.limits import sockets
from las_jupyter.stack.house import House as Rooms
from las_jupyter.stack.instance import Instance
from las_jupyter.stack.stack import Stack

pytestmark = pytest.mark.native

KEY = "sk-of-the-instance-0123456789"
METRICS = Progress("http", "/metrics", "a_total", "a_busy", stuck_after=60.0)


class Mallory:
    """Takes ports of others and writes down whatever she is sent."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes
        self.processes: list[subprocess.Popen[bytes]] = []
        (notes.parent / "page").write_text("a_total 1\na_busy 0\n")

    def take(self, port: int, *habits: str) -> int:
        """Listen on ``port``, as soon as it can be had, and answer everything with 200."""
        words = [f"port={port}", f"gets={self.notes}", f"metrics={self.notes.parent / 'page'}", *habits]
        process = subprocess.Popen([sys.executable, "-I", "-S", FAKE_SERVER, *words])
        self.processes.append(process)
        eventually(lambda: _holds(process.pid, port), "mallory listens")
        return process.pid

    @property
    def got(self) -> str:
        """Everything she was sent."""
        return self.notes.read_text() if self.notes.exists() else ""

    def leave(self) -> None:
        """Give all ports back."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


def _holds(pid: int, port: int) -> bool:
    found = sockets.answering(port)
    if found is None:
        return False
    links = [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]  # noqa: PTH208
    return any(_inode(link) == found.inode for link in links)


def _inode(link: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(link).st_ino  # noqa: PTH116
    return None


@pytest.fixture
def mallory(tmp_path: Path) -> Iterator[Mallory]:
    """Somebody who waits for a port."""
    (tmp_path / "mallory").mkdir()
    mallory = Mallory(tmp_path / "mallory" / "notes")
    yield mallory
    mallory.leave()


@pytest.fixture
def served(house: House, tmp_path: Path) -> Callable[..., LaunchSpec]:
    """A server with a key that leaves its port, but not this world, once the file ``leave`` exists."""

    def spec(**changes: object) -> LaunchSpec:
        (tmp_path / "own_page").write_text("a_total 1\na_busy 0\n")
        habits = f"leaves_port={tmp_path / 'leave'}", f"metrics={tmp_path / 'own_page'}", f"gets={tmp_path / 'own'}"
        made = house.spec(*habits, served=True, **changes)
        return made._replace(
            live=made.live._replace(progress=METRICS),
            secrets=(SecretUse("api_key", env="KEY"),),
            provides=("openai-compatible-api",),
        )

    return spec


@pytest.fixture
def llm(house: House) -> Instance:
    """The handle to the instance called ``one``."""

    class Small(Rooms):
        manager = house.manager

    return Instance(Stack(Small()), "one")


def begin(house: House, spec: LaunchSpec) -> Snapshot:
    house.manager.start(spec, {"api_key": KEY})
    return house.manager.wait_ready("one", timeout=20)


def squatted(house: House, mallory: Mallory, tmp_path: Path, spec: LaunchSpec) -> Snapshot:
    """The instance after its server left its port to mallory, once that was noticed."""
    begin(house, spec)
    (tmp_path / "leave").touch()
    port = spec.ports[0].host
    eventually(lambda: sockets.answering(port) is None, "it left its port")
    pid = mallory.take(port)

    def seen() -> Snapshot | None:
        found = house.manager.snapshot("one")
        return found if f"process {pid}" in found.health.reason else None

    return eventually(seen, "the foreign listener is noticed")


def test_a_foreign_listener_after_ready_turns_the_light_and_is_named(house, mallory, served, tmp_path):
    told = squatted(house, mallory, tmp_path, served())

    assert (told.state, told.health.state) == (ProcessState.RUNNING, HealthState.UNHEALTHY)
    assert "which is not of this instance" in told.health.reason
    assert any(
        event.event == "health" and "not of this instance" in event.reason for event in house.manager.events("one")
    )


def test_a_foreign_listener_is_sent_nothing_neither_a_question_nor_the_key(house, mallory, served, tmp_path):
    squatted(house, mallory, tmp_path, served())
    before = house.manager.snapshot("one").health.at
    eventually(lambda: house.manager.snapshot("one").supervised, "it is still asked")

    assert mallory.got == ""
    assert before


def test_a_foreign_listener_is_noticed_though_the_module_is_asked_by_a_command(house, mallory, served, tmp_path):
    spec = served()
    spec = spec._replace(live=LiveRule(CommandProbe(("true",)), every=0.1))
    told = squatted(house, mallory, tmp_path, spec)

    assert told.health.state is HealthState.UNHEALTHY


def test_once_the_foreign_listener_left_and_the_server_is_back_it_is_well_again(house, mallory, served, tmp_path):
    spec = served()
    squatted(house, mallory, tmp_path, spec)
    mallory.leave()
    (tmp_path / "leave").unlink()
    house.manager.restart("one")
    told = house.manager.wait_ready("one", timeout=20)

    assert told.health.state is HealthState.HEALTHY


def test_a_foreign_listener_renews_the_key_at_the_next_start(house, mallory, served, tmp_path):
    squatted(house, mallory, tmp_path, served())
    assert house.manager.secrets("one")["api_key"] == KEY
    mallory.leave()
    (tmp_path / "leave").unlink()
    house.manager.restart("one")
    house.manager.wait_ready("one", timeout=20)

    fresh = house.manager.secrets("one")["api_key"]
    assert fresh != KEY
    assert len(fresh) >= 32
    assert any("new key" in event.reason for event in house.manager.events("one"))
    house.manager.restart("one")
    house.manager.wait_ready("one", timeout=20)
    assert house.manager.secrets("one")["api_key"] == fresh, "once is enough"


def test_a_key_is_renewed_though_the_instance_ended_and_was_started_anew(house, mallory, served, tmp_path):
    spec = served()
    squatted(house, mallory, tmp_path, spec)
    house.manager.stop("one")
    mallory.leave()
    (tmp_path / "leave").unlink()
    begin(house, spec)

    assert house.manager.secrets("one")["api_key"] != KEY


def crash(house: House) -> Snapshot:
    """Kill the server and return once its supervisor waits to restart it."""
    pid = house.manager.snapshot("one").pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    return house.until(ProcessState.BACKOFF)


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """The client must say who has the port; some versions of openai wrap what a connection raised."""
    with pytest.raises((PortTaken, openai.APIConnectionError)) as caught:
        yield
    error = caught.value if isinstance(caught.value, PortTaken) else caught.value.__cause__
    assert isinstance(error, PortTaken)
    assert "nothing was sent" in error.message
    assert "listens there" in (error.cause or "")


RESTARTING = RestartRule(RestartPolicy.ON_FAILURE, first=30.0)


def test_while_it_waits_to_restart_nobody_is_given_its_key(house, mallory, served, llm):
    begin(house, served(restart=RESTARTING))
    crash(house)

    for ask in (llm.access, llm.openai):
        with pytest.raises(BadRequest) as caught:
            ask()
        assert "is backoff" in caught.value.message
        assert "wait_ready" in (caught.value.remedy or "")


def test_before_it_is_ready_nobody_is_given_its_key(house, served, llm):
    spec = served()
    house.manager.start(spec._replace(argv=(*spec.argv, "ready_after=60")), {"api_key": KEY})

    with pytest.raises(BadRequest, match="is starting"):
        llm.access()


def test_a_foreign_listener_during_the_wait_for_a_restart_renews_the_key(house, mallory, served):
    spec = served(restart=RESTARTING)
    begin(house, spec)
    crash(house)
    pid = mallory.take(spec.ports[0].host)
    eventually(lambda: f"process {pid}" in house.manager.snapshot("one").health.reason, "it is noticed")
    mallory.leave()
    house.manager.restart("one")
    house.manager.wait_ready("one", timeout=20)

    assert house.manager.secrets("one")["api_key"] != KEY


def test_a_crash_alone_leaves_the_key_to_those_who_have_it(house, served):
    begin(house, served(restart=RESTARTING))
    crash(house)
    house.manager.restart("one")
    house.manager.wait_ready("one", timeout=20)

    assert house.manager.secrets("one")["api_key"] == KEY


def test_a_client_made_before_the_crash_tells_a_squatter_nothing(house, mallory, served, llm):
    spec = served(restart=RESTARTING)
    begin(house, spec)
    client = llm.openai().with_options(max_retries=0)
    crash(house)
    mallory.take(spec.ports[0].host)

    with refused():
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "my secret prompt"}])
    assert mallory.got == ""


def test_a_client_and_a_hand_that_asks_for_the_key_notice_a_squatter_before_the_supervisor_does(
    house, mallory, served, llm, tmp_path
):
    spec = served(live=LiveRule(every=3600.0))
    begin(house, spec._replace(live=spec.live._replace(every=3600.0)))
    client = llm.openai().with_options(max_retries=0)
    (tmp_path / "leave").touch()
    eventually(lambda: sockets.answering(spec.ports[0].host) is None, "it left its port")
    mallory.take(spec.ports[0].host)

    with refused():
        client.models.list()
    with pytest.raises(PortTaken):
        llm.access()
    assert mallory.got == ""


def test_a_client_of_a_ready_server_talks_to_it(house, served, llm, tmp_path):
    begin(house, served())
    client = llm.openai().with_options(max_retries=0)

    assert client.get("/models", cast_to=str) == "ok"
    asked = (tmp_path / "own").read_text()
    assert "GET /models" in asked
    assert f"Authorization: Bearer {KEY}".lower() in asked.lower()


async def _ask(client):
    return await client.models.list()


def test_an_awaited_client_tells_a_squatter_nothing_either(house, mallory, served, llm):
    import asyncio

    from las_jupyter.stack.aio import AsyncInstance

    spec = served(restart=RESTARTING)
    begin(house, spec)
    client = AsyncInstance(llm).openai().with_options(max_retries=0)
    crash(house)
    mallory.take(spec.ports[0].host)

    with refused():
        asyncio.run(_ask(client))
    assert mallory.got == ""


@pytest.mark.parametrize("habits", [("host=::1",), ("host=127.0.0.2",)])
def test_a_listener_of_ours_on_another_address_does_not_vouch_for_a_foreign_one(house, mallory, tmp_path, habits):
    """The kernel lets both listen on one number: what counts is who gets the connection."""
    spec = house.spec(served=True)
    port = spec.ports[0].host
    mallory_pid = mallory.take(port)
    words = (*(word for word in spec.argv if not word.startswith("port=")), *habits, f"port={port}")
    pid = os.posix_spawn(spec.argv[0], words, os.environ)
    try:
        eventually(lambda: sum(each.port == port for each in sockets.listening()) == 2, "both listen")
        from las_jupyter.backends.listeners import owned_by

        assert owned_by([pid], sockets.answering(port)) is False
        assert owned_by([mallory_pid], sockets.answering(port)) is True
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert not lives(pid)


def test_the_client_still_tells_of_each_connection_before_it_uses_it():
    """The check of our client hangs on this promise of the library below it."""
    events = []
    with openai.DefaultHttpxClient(trust_env=False) as client, pytest.raises(Exception, match="refused"):
        client.get("http://127.0.0.1:9/", extensions={"trace": lambda name, info: events.append(name)})

    assert "connection.connect_tcp.started" in events
