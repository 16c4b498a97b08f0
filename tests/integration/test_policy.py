"""A site's policy against real models and real starts."""

from __future__ import annotations

from pathlib import Path

import pytest

import las_jupyter as las
from las_jupyter.core.errors import PlanRefused

pytest_plugins = ("servers",)
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("clean_end")]


@pytest.fixture
def policy(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "policies.yaml"
    monkeypatch.setenv("LAS_JUPYTER_POLICY_FILE", str(path))
    return path


@pytest.mark.llamacpp
def test_a_model_above_the_bound_is_refused_by_its_own_header(policy, smollm2, tmp_path):
    policy.write_text("policies: [{name: small, allow: {max_model_size: 100M}}]\n")
    renamed = tmp_path / "tiny-1m.gguf"
    renamed.symlink_to(smollm2)

    with pytest.raises(PlanRefused) as caught:
        las.start("llama.cpp", model=renamed)

    assert caught.value.cause == "it has 135M parameters, and policy small allows at most 100M parameters"
    policy.write_text("policies: [{name: small, allow: {max_model_size: 1B}}]\n")
    assert "it has 135M parameters" in repr(las.plan("llama.cpp", model=renamed))


def test_what_the_user_insisted_on_stands_in_the_events():
    server = las.start("http-echo", port=0, memory="900TB", overcommit=True)

    told = [each for each in las.events(server.name).records if each["event"] == "overridden"]
    assert len(told) == 1
    assert told[0]["reason"].startswith("memory: 818.5 TiB")
    assert "overcommitted as you said" in told[0]["reason"]


def test_a_start_that_insists_on_nothing_has_no_such_event():
    server = las.start("http-echo", port=0, memory="64MB", overcommit=True)

    assert "overridden" not in repr(las.events(server.name))
