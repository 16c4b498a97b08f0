"""A start through the one door: what it returns, joins, fetches, needs and takes back."""

from __future__ import annotations

import os

import pytest
from small_house import small_stack

from las_jupyter.core.errors import (
    InstanceConflict,
    LaunchFailed,
    PlanRefused,
    PortTaken,
)
from las_jupyter.core.states import HealthState, ProcessState


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


def test_a_restart_is_ready_again():
    stack, _, _ = small_stack()
    llm = stack.start("llama.cpp").restart()

    assert llm.state is ProcessState.RUNNING
    assert llm.snapshot.generation == 2
