"""A client bound to an instance."""

from __future__ import annotations

import pytest
from small_house import small_stack

from las_jupyter.core.errors import BadRequest
from las_jupyter.core.states import ProcessState


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


@pytest.mark.parametrize("state", [state for state in ProcessState if state is not ProcessState.RUNNING])
def test_in_no_state_but_running_is_its_key_given_away(state):
    stack, house, _ = small_stack()
    llm = stack.start("llama.cpp")
    house.manager.known[llm.name] = llm.snapshot._replace(state=state)

    with pytest.raises(BadRequest, match=f"llama.cpp is {state}") as caught:
        llm.access()
    assert ("wait_ready()" if state.alive else "%las start") in (caught.value.remedy or "")
