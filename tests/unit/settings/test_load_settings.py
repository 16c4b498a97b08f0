from __future__ import annotations

import json
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidSettings
from las_jupyter.core.states import Mode
from las_jupyter.settings import load_settings
from las_jupyter.settings.files import taken_over, user_file
from las_jupyter.settings.load import LoadedSettings

UPSTREAM = Path(__file__).parents[2] / "data" / "localaistack" / "configs" / "config.yaml"


def users(text: str, name: str = "las.toml") -> Path:
    path = user_file().with_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_source_outranks_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def mode_is(expected: str, source: str, **overrides: object) -> None:
        found = load_settings(project, **overrides)
        assert (found.runtime.default_mode, found.source_of("runtime.default_mode")) == (expected, source)

    project = tmp_path / "project" / "deep"
    project.mkdir(parents=True)
    home = users('[runtime]\ndefault_mode = "container"')
    mode_is("container", str(home))
    own = tmp_path / "project" / "las.toml"
    own.write_text('[runtime]\ndefault_mode = "native"')
    mode_is("native", str(own))
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__DEFAULT_MODE", "container")
    mode_is("container", "environment")
    mode_is("native", "argument", runtime={"default_mode": "native"})


def test_sources_are_merged_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    users('[runtime]\nnative_enabled = false\n[engines.vllm]\npython = "/v/bin/python"')
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE", "podman")

    found = load_settings(tmp_path)

    assert (found.runtime.native_enabled, found.runtime.container_engine) == (False, "podman")
    assert found.engines["vllm"].python == Path("/v/bin/python")
    assert found.source_of("runtime.docker_enabled") == "default"


def test_a_module_with_a_dot_in_its_name_has_its_source(tmp_path: Path):
    home = users('[engines."llama.cpp"]\npath = "/opt/llama-server"')

    lines = {line.key: line for line in load_settings(tmp_path).explain()}

    assert lines["engines.llama.cpp.path"].source == str(home)


def test_a_project_is_found_in_pyproject(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.las.logs]\nkeep_starts = 3")

    assert load_settings(tmp_path).logs.keep_starts == 3


def test_a_pyproject_that_says_nothing_of_us_need_not_even_be_toml(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[project\n")

    assert load_settings(tmp_path).logs.keep_starts == 10


def test_all_bad_fields_are_named_at_once_with_source_and_nearest_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = users('[runtime]\ndefalt_mode = "native"\n[limits]\nmemory = "3 parsecs"')
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME__CONTAINER_ENGINE", "podmn")
    monkeypatch.setenv("LAS_JUPYTER_RUNTME__DEFAULT_MODE", "native")

    with pytest.raises(InvalidSettings) as caught:
        load_settings(tmp_path, logs={"keep_starts": "many"})
    lines = "\n".join(caught.value.lines())

    assert caught.value.message == "5 settings cannot be used."
    assert f"runtime.defalt_mode ({home}): there is no such key; did you mean default_mode?" in lines
    assert f"limits.memory ({home}): '3 parsecs' has no size unit we know" in lines
    assert "runtime.container_engine (environment): 'podmn' is not one of auto, docker, podman; did you mean" in lines
    assert "runtme (environment): there is no such key; did you mean runtime?" in lines
    assert "logs.keep_starts (argument): 'many' is not a whole number" in lines


def test_folders_in_the_environment_are_written_as_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAS_JUPYTER_MANIFESTS__PATHS", "/one:/two")

    assert load_settings(tmp_path).manifests.paths == [Path("/one"), Path("/two")]


def test_a_kernel_inside_one_of_our_servers_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAS_JUPYTER_MARK", "left by a server that this kernel runs in")

    assert "mark" not in {line.key for line in load_settings(tmp_path).explain()}


def test_a_variable_that_should_be_a_table_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAS_JUPYTER_RUNTIME", "native")

    with pytest.raises(InvalidSettings) as caught:
        load_settings(tmp_path)
    assert "LAS_JUPYTER_RUNTIME__DEFAULT_MODE=native" in str(caught.value.remedy)


def test_the_upstream_file_loads_as_it_is(tmp_path: Path):
    home = users("", "config.yaml")
    shutil.copy(UPSTREAM, home)

    found = load_settings(tmp_path)

    assert found.runtime.default_mode is Mode.CONTAINER
    assert found.source_of("runtime.default_mode") == str(home)
    assert found.runtime.log_dir is None  # a folder of a server installation that is not here


def test_folders_of_an_upstream_installation_count_where_they_are(tmp_path: Path):
    (tmp_path / "policies.yaml").write_text("policies: []")
    content = {
        "storage": {"model_dir": str(tmp_path)},
        "control": {"policy_file": str(tmp_path / "policies.yaml")},
        "runtime": {"log_dir": str(tmp_path)},
        "llm": {"api_key": "secret"},
    }

    assert taken_over(content) == {
        "models": {"cache_dir": str(tmp_path)},
        "policy_file": str(tmp_path / "policies.yaml"),
        "runtime": {"log_dir": str(tmp_path)},
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [("las.toml", "[runtime"), ("las.toml", "runtime = 3"), ("las.toml", "a = " + "[" * 5000),
     ("las.toml", 'policy_file = "~nobody-of-that-name/x"'), ("las.toml", "logs = {start_bytes = 1}"),
     ("config.yaml", "runtime: ["), ("config.yaml", "[1]"), ("config.yaml", "runtime: 3"),
     ("config.yaml", "[" * 100_000)],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, text: str):
    path = users(text, name)

    with pytest.raises(InvalidSettings) as caught:
        load_settings(tmp_path)
    assert str(path) in "\n".join(caught.value.lines())


def test_every_setting_says_what_it_is_for():
    from las_jupyter.settings.model import Settings

    def undescribed(model: type, before: str = "") -> list[str]:
        found = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                found += undescribed(inner, f"{before}{name}.")
            elif not field.description:
                found.append(f"{before}{name}")
        return found

    assert undescribed(Settings) == []


def test_importing_us_builds_no_models():
    question = (
        "import sys, las_jupyter, las_jupyter.settings, las_jupyter.manifests.catalog, las_jupyter.policy.load\n"
        "print([name for name in ('pydantic', 'yaml', 'pydantic_settings', 'packaging') if name in sys.modules])"
    )

    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


TEXTS = st.text(string.printable, max_size=20) | st.sampled_from(["~x", "1e999", "99999999999999GB", "native", "5m"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [("runtime", "default_mode"), ("runtime", "log_dir"), ("manifests", "paths"), ("models", "cache_dir"),
     ("engines", "vllm"), ("logs", "start_bytes"), ("restart", "first"), ("limits", "memory"), ("limits", "cpus")]
)  # fmt: skip


def loads_or_says_why(start: Path, **overrides: object) -> LoadedSettings | None:
    try:
        found = load_settings(start, **overrides)
    except InvalidSettings as error:
        assert error.cause or error.details
        assert "\n" not in error.message
        return None
    json.dumps(found.explain())
    return found


@given(KEYS, VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_is_a_setting_or_a_sentence(tmp_path: Path, key: tuple[str, str], value: object):
    loads_or_says_why(tmp_path, **{key[0]: {key[1]: value}})
    loads_or_says_why(tmp_path, **{key[0]: value})


@given(st.text(string.printable, max_size=60) | st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_settings_or_a_sentence(tmp_path: Path, content: str | bytes):
    path = tmp_path / "las.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)

    loads_or_says_why(tmp_path)


@given(KEYS, st.text(max_size=20).filter(lambda text: "\0" not in text and text.isprintable()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_variable_is_a_setting_or_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: tuple[str, str], value: str
):
    with monkeypatch.context() as patch:
        patch.setenv(f"LAS_JUPYTER_{key[0].upper()}__{key[1].upper()}", value)
        loads_or_says_why(tmp_path)
