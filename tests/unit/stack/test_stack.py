from __future__ import annotations

import os

import pytest
from small_house import NOW, small_stack

from las_jupyter.core.errors import (
    BadRequest,
    InstanceConflict,
    LaunchFailed,
    NoSuchInstance,
    PlanRefused,
    PortTaken,
    StartTimeout,
    StopFailed,
)
from las_jupyter.core.states import HealthState, ProcessState
from las_jupyter.stack.waiting import WaitInterrupted


def test_a_start_returns_an_instance_that_is_ready():
    stack, _, _ = small_stack()

    llm = stack.start("llama.cpp", model="smollm2-135m")

    assert (llm.state, llm.health) == (ProcessState.RUNNING, HealthState.HEALTHY)
    assert llm.url == "http://127.0.0.1:8080"
    assert llm.base_url == "http://127.0.0.1:8080/v1"
    assert llm.model == "smol"


def test_without_waiting_the_instance_is_still_starting():
    stack, _, _ = small_stack()

    assert stack.start("llama.cpp", wait=False).state is ProcessState.STARTING


def test_starting_what_runs_returns_it_and_says_so():
    stack, house, told = small_stack()
    stack.start("llama.cpp")

    again = stack.start("llama.cpp")

    assert again.name == "llama.cpp"
    assert "Reusing llama.cpp on port 8080 (pid 4711), started 5.0 s ago." in told.notes
    assert len([call for call in house.manager.calls if call[0] == "wait_ready"]) == 1


def test_two_equal_wishes_at_once_are_one_server_though_the_slower_saw_its_port_taken():
    stack, house, told = small_stack()
    stack.start("llama.cpp")
    looks = iter([("llama.cpp:None with port 8081", 8081), ("llama.cpp:None", 8080)])
    planned = house.plan

    def plan(request):
        fingerprint, port = next(looks)
        decided = planned(request._replace(port=port))
        return decided._replace(spec=decided.spec._replace(fingerprint=fingerprint))

    house.plan = plan

    assert stack.start("llama.cpp").port == 8080
    assert told.notes[-1].startswith("Reusing llama.cpp")


def test_a_port_that_a_stranger_took_meanwhile_is_said_and_another_taken():
    stack, house, told = small_stack()
    planned, ports = house.plan, iter([8080, 8081])
    house.plan = lambda request: planned(request._replace(port=next(ports)))

    def taken(name: str) -> None:
        if house.manager.known[name].ports[0].host == 8080:
            house.manager.known[name] = house.manager.known[name]._replace(state=ProcessState.FAILED)
            raise LaunchFailed("llama.cpp did not start.", cause="port 8080 is taken by another program")
        house.manager.become_ready(name)

    house.manager.on_wait = taken

    assert stack.start("llama.cpp").port == 8081
    assert "port 8080 was taken meanwhile; trying port 8081." in told.notes


def test_a_failure_that_has_nothing_to_do_with_ports_is_not_tried_again():
    stack, house, _ = small_stack()

    def fail(name: str) -> None:
        house.manager.known[name] = house.manager.known[name]._replace(state=ProcessState.FAILED)
        raise LaunchFailed("llama.cpp did not start.")

    house.manager.on_wait = fail
    with pytest.raises(LaunchFailed):
        stack.start("llama.cpp")

    assert len([call for call in house.manager.calls if call[0] == "start"]) == 1


def test_a_port_that_this_very_instance_took_meanwhile_is_no_refusal():
    stack, house, _ = small_stack()
    planned, first = house.plan, [PortTaken("Port 8080 is taken.")]

    def plan(request):
        if first:
            raise first.pop()
        return planned(request)

    house.plan = plan

    assert stack.start("llama.cpp", port=8080).port == 8080


def test_a_start_while_it_is_being_stopped_waits_for_the_end_and_starts_it_again():
    stack, house, _ = small_stack()
    stack.start("llama.cpp")
    house.manager.known["llama.cpp"] = house.manager.known["llama.cpp"]._replace(state=ProcessState.STOPPING)

    llm = stack.start("llama.cpp")

    assert llm.state is ProcessState.RUNNING
    assert [what for what, _ in house.manager.calls][-4:] == ["start", "stop", "start", "wait_ready"]


def test_another_spec_under_a_running_name_is_a_conflict():
    stack, house, _ = small_stack()
    stack.start("llama.cpp", model="a")

    with pytest.raises(InstanceConflict):
        stack.start("llama.cpp", model="b")

    assert len([call for call in house.manager.calls if call[0] == "start"]) == 2


def test_a_key_is_made_for_every_secret_and_never_twice_the_same():
    stack, _, _ = small_stack()

    one = stack.start("llama.cpp", name="one").api_key
    two = stack.start("llama.cpp", name="two").api_key

    assert one
    assert two
    assert one != two
    assert len(one) > 30


def test_a_key_stays_over_a_stop_and_goes_with_a_removal():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")
    key = llm.api_key
    llm.stop()

    assert stack.start("llama.cpp").api_key == key

    llm.stop()
    llm.remove()
    assert stack.start("llama.cpp").api_key != key


def test_a_model_that_is_missing_is_fetched_and_the_plan_made_again():
    stack, house, told = small_stack()
    house.to_fetch = [(10, 100), (100, 100)]

    stack.start("llama.cpp")

    assert len(house.planned) == 2
    assert ("fetching model.gguf: 10 B of 100 B", 0.1) in told.updates


def test_a_plan_touches_nothing():
    stack, house, _ = small_stack()

    plan = stack.plan("llama.cpp", port=9000)

    assert plan.spec.ports[0].host == 9000
    assert house.manager.calls == []


def test_a_refused_plan_starts_nothing():
    stack, house, _ = small_stack()
    house.refusal = PlanRefused("There is not enough memory.")

    with pytest.raises(PlanRefused):
        stack.start("llama.cpp")

    assert house.manager.known == {}


def test_what_a_module_needs_is_started_first():
    stack, _, _ = small_stack()

    stack.start("web")

    assert [(each.name, each.state) for each in stack.snapshots()] == [("db", "running"), ("web", "running")]


def test_what_was_started_for_a_module_that_failed_is_stopped_again():
    stack, house, told = small_stack()

    def web_fails(name: str) -> None:
        if name == "web":
            raise LaunchFailed("web ended with code 1.")
        house.manager.become_ready(name)

    house.manager.on_wait = web_fails
    with pytest.raises(LaunchFailed):
        stack.start("web")

    assert house.manager.known["db"].state is ProcessState.STOPPED
    assert "Stopped db again, which had been started for web." in told.notes


def test_what_ran_before_is_left_alone_when_a_module_that_needs_it_fails():
    stack, house, _ = small_stack()
    stack.start("db")

    def fail(name: str) -> None:
        raise LaunchFailed("web ended with code 1.")

    house.manager.on_wait = fail
    with pytest.raises(LaunchFailed):
        stack.start("web")

    assert house.manager.known["db"].state is ProcessState.RUNNING


def test_an_interrupt_stops_the_waiting_and_not_the_server():
    stack, house, _ = small_stack()

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    house.manager.on_wait = interrupt
    with pytest.raises(WaitInterrupted) as caught:
        stack.start("llama.cpp")

    assert "Stopped waiting for llama.cpp" in caught.value.lines()[0]
    assert stack.get("llama.cpp").state is ProcessState.STARTING


def test_while_nothing_changes_the_line_goes_on():
    stack, house, told = small_stack()
    slices = iter([StartTimeout("not ready after 1 s"), StartTimeout("not ready after 1 s")])

    def slow(name: str, **_: object) -> object:
        for timed_out in slices:
            raise timed_out
        house.manager.become_ready(name)
        return house.manager.snapshot(name)

    house.manager.wait_ready = slow

    assert stack.start("llama.cpp").state is ProcessState.RUNNING
    assert len([text for text, _ in told.updates if text.startswith("llama.cpp: starting")]) == 2


def test_a_time_out_of_the_caller_names_its_own_seconds_and_stops_nothing():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp", wait=False)

    def never(name: str) -> None:
        raise StartTimeout("not ready after 0.5 s")

    house.manager.on_wait = never
    with pytest.raises(StartTimeout, match=r"llama.cpp is not ready after 0.5 s; it goes on starting."):
        llm.wait_ready(timeout=0.5)

    assert llm.state is ProcessState.STARTING


def test_a_start_that_stalled_is_told_in_the_words_of_the_supervisor():
    stack, house, _ = small_stack()

    def stalled(name: str) -> None:
        house.manager.known[name] = house.manager.known[name]._replace(state=ProcessState.FAILED)
        raise StartTimeout("no progress for 120 s")

    house.manager.on_wait = stalled
    with pytest.raises(StartTimeout, match="no progress for 120 s"):
        stack.start("llama.cpp")


def test_a_lifetime_of_the_kernel_names_this_process_as_the_owner():
    stack, house, _ = small_stack()

    stack.start("llama.cpp", lifetime="kernel")
    owner = house.manager.specs["llama.cpp"].owner

    assert owner is not None
    assert owner.pid == os.getpid()
    assert owner.start_ticks > 0


def test_a_detached_instance_has_no_owner():
    stack, house, _ = small_stack()

    stack.start("llama.cpp")

    assert house.manager.specs["llama.cpp"].owner is None


def test_a_context_manager_stops_at_the_end():
    stack, house, _ = small_stack()

    with stack.start("llama.cpp", wait=False) as llm:
        assert llm.state is ProcessState.RUNNING

    assert house.manager.known["llama.cpp"].state is ProcessState.STOPPED


def test_a_context_manager_stops_on_an_error_and_lets_it_through():
    stack, house, _ = small_stack()

    with pytest.raises(ZeroDivisionError), stack.start("llama.cpp"):
        raise ZeroDivisionError

    assert house.manager.known["llama.cpp"].state is ProcessState.STOPPED


def test_a_stop_that_fails_does_not_hide_the_error_of_the_block():
    stack, house, _ = small_stack()

    def fail(name: str, **_: object) -> None:
        raise StopFailed("worker 7 ignores SIGKILL.")

    house.manager.stop = fail
    with pytest.raises(ZeroDivisionError), stack.start("llama.cpp"):
        raise ZeroDivisionError


def test_a_stop_that_fails_at_the_end_of_a_block_is_told():
    stack, house, _ = small_stack()

    def fail(name: str, **_: object) -> None:
        raise StopFailed("worker 7 ignores SIGKILL.")

    house.manager.stop = fail
    with pytest.raises(StopFailed), stack.start("llama.cpp"):
        pass


def test_a_stop_says_how_it_ended():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert str(llm.stop()) == "llama.cpp stopped: ended with code 0 after it was asked to stop"
    assert llm.exit is not None
    assert llm.exit.code == 0


def test_stopping_twice_is_one_stop():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")
    llm.stop()

    assert str(llm.stop()) == "llama.cpp was not running: stopped on request"
    assert len([call for call in house.manager.calls if call[0] == "stop"]) == 1


def test_the_grace_of_a_stop_may_be_written_with_a_unit():
    stack, house, _ = small_stack()
    stack.start("llama.cpp")

    stack.stop(grace="2m")

    assert ("stop", ("llama.cpp", 120.0)) in house.manager.calls


def test_the_only_instance_needs_no_name():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="chat")

    assert "chat stopped" in str(stack.stop())


def test_with_two_instances_the_name_must_be_said():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="one")
    stack.start("llama.cpp", name="two")

    with pytest.raises(BadRequest) as caught:
        stack.stop()

    assert caught.value.cause == "there are one, two"


def test_all_instances_are_stopped_when_that_is_said():
    stack, house, _ = small_stack()
    stack.start("llama.cpp", name="one")
    stack.start("llama.cpp", name="two")

    told = stack.stop(all=True)

    assert len(str(told).splitlines()) == 2
    assert not any(each.state.alive for each in house.manager.known.values())


def test_an_unknown_name_is_told_the_nearest():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="chat")

    with pytest.raises(NoSuchInstance) as caught:
        stack.get("chatt")

    assert caught.value.remedy == "did you mean chat?"


def test_a_removed_instance_is_unknown():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")
    llm.stop()
    llm.remove()

    assert repr(llm) == "<llama.cpp: removed>"
    with pytest.raises(NoSuchInstance):
        _ = llm.state


def test_the_client_for_a_module_without_that_api_is_refused():
    stack, _, _ = small_stack()

    with pytest.raises(BadRequest, match="no OpenAI-compatible API"):
        stack.start("db").openai()


def test_the_client_for_a_stopped_instance_is_refused():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")
    llm.stop()

    with pytest.raises(BadRequest, match="nobody to talk to"):
        llm.openai()


def test_the_client_is_bound_with_its_key_and_never_goes_through_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    client = llm.openai()

    assert str(client.base_url) == "http://127.0.0.1:8080/v1/"
    assert client.api_key == llm.api_key
    assert not client._client.trust_env


def test_the_key_is_not_in_the_text_of_an_access():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert llm.api_key not in repr(llm.access())


def test_logs_are_text_without_escape_sequences():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert list(llm.logs(tail=2)) == ["two red", "three <script>"]
    assert list(llm.logs(grep="one")) == ["one"]
    assert list(llm.logs(since="10m", tail=1)) == ["three <script>"]
    assert list(llm.logs(since="10s")) == []


def test_a_pattern_that_is_none_is_named():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    with pytest.raises(BadRequest, match="not a regular expression"):
        llm.logs(grep="(")


def test_following_gives_whole_lines():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert list(llm.follow(tail=1)) == ["three <script>", "half a line", "and another"]


def test_events_are_told_oldest_first():
    stack, _, _ = small_stack()
    stack.start("llama.cpp")

    assert [each.event for each in stack.events()] == ["start-requested", "ready"]
    assert [each.event for each in stack.events(tail=1)] == ["ready"]


def test_a_restart_is_ready_again():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp").restart()

    assert llm.state is ProcessState.RUNNING
    assert llm.snapshot.generation == 2


def test_status_shows_the_running_before_the_ended():
    stack, _, _ = small_stack()
    stack.start("llama.cpp", name="a").stop()
    stack.start("llama.cpp", name="z")

    assert [each.name for each in stack.status()] == ["z", "a"]
    assert stack.status()["a"].exit.at == NOW


def test_status_shows_what_a_running_instance_uses():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")

    assert stack.status().records[0]["memory"] == "3.0 MiB"
    llm.stop()
    house.manager.usage = None
    assert stack.status().records[0]["memory"] == ""


def test_an_interrupted_stop_says_that_it_goes_on():
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")

    def interrupt(name: str, **_: object) -> None:
        raise KeyboardInterrupt

    house.manager.stop = interrupt
    with pytest.raises(WaitInterrupted) as caught:
        llm.stop()

    assert caught.value.lines() == ["Stopped waiting; llama.cpp goes on ending.", "→ %las status llama.cpp"]


def test_an_interrupted_download_starts_nothing_and_says_so():
    stack, house, _ = small_stack()

    def interrupt(plan: object, on_bytes: object) -> None:
        raise KeyboardInterrupt

    house.fetch = interrupt
    with pytest.raises(WaitInterrupted, match="Stopped fetching m; nothing half-fetched is left"):
        stack.start("llama.cpp", model="m")

    assert house.manager.known == {}


def test_settings_can_be_narrowed_to_a_group():
    stack, _, _ = small_stack()

    assert [row.key for row in stack.config("runtime")] == ["runtime.default_mode"]
    with pytest.raises(BadRequest) as caught:
        stack.config("runtme")
    assert caught.value.remedy == "%las config runtime"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 65536}, "port cannot be 65536."),
        ({"port": True}, "port cannot be True."),
        ({"memory": "much"}, "memory cannot be 'much'."),
        ({"memory": 0}, "memory cannot be 0."),
        ({"cpus": -1}, "cpus cannot be -1."),
        ({"timeout": "soon"}, "timeout cannot be 'soon'."),
        ({"lifetime": "kernle"}, "lifetime cannot be 'kernle'."),
        ({"args": "--ctx-size 8"}, "args cannot be one string."),
    ],
)
def test_an_argument_that_cannot_be_is_named(options, message):
    stack, house, _ = small_stack()

    with pytest.raises(BadRequest) as caught:
        stack.start("llama.cpp", **options)

    assert caught.value.message == message
    assert house.planned == []


@pytest.mark.parametrize(
    ("asked", "ids"),
    [(None, None), (0, ("0",)), ("0,1", ("0", "1")), ([0, "1"], ("0", "1")), ("all", ("all",)), ("none", ()), ([], ())],
)
def test_gpus_may_be_written_as_people_write_them(asked, ids):
    stack, house, _ = small_stack()

    stack.start("llama.cpp", gpus=asked)

    assert house.planned[0].gpus == ids
