"""Files that people write: manifests, policies, settings."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzzing import WORDS, as_json, careful, damaged, mutated, understood_or_refused
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.request import StartRequest
from las_jupyter.core.states import Mode
from las_jupyter.core.wire import from_json, to_json
from las_jupyter.display.plans import plan_html, plan_text
from las_jupyter.manifests import trust
from las_jupyter.manifests.catalog import BUNDLED_FOLDER, Catalog, Entry
from las_jupyter.manifests.load import own_checksum, parse_manifest
from las_jupyter.planning.plan import decide
from las_jupyter.planning.world import Backend, Engine, Machine, ModelFile, World
from las_jupyter.policy.load import parse_policies
from las_jupyter.policy.rules import Hardware, judge_policy
from las_jupyter.settings.load import load_settings
from las_jupyter.settings.yaml_file import Unreadable, parse_yaml

DATA = Path(__file__).parents[2] / "data" / "localaistack"
GIB = 2**30
MANIFESTS = [path.read_bytes() for path in (*BUNDLED_FOLDER.glob("*/*.yaml"), *DATA.glob("modules/*/*.yaml"))]
TREES = [yaml.safe_load(text) for text in MANIFESTS]
LLAMA = parse_manifest((BUNDLED_FOLDER / "llama.cpp" / "manifest.yaml").read_bytes(), "x")
EVERYTHING = StartRequest("llama.cpp", gpus=("0",), memory=GIB, cpus=1.0, expose=True)
POLICY = (DATA / "configs" / "policies.yaml").read_bytes()
OWN_POLICY = {
    "policies": [
        {
            "name": "ours",
            "conditions": {"cpu_cores_min": 1, "gpu_count_max": 9, "nvlink": False, "ram_min": "1GB"},
            "allow": {
                "modes": ["native", "container"], "max_gpus": 2, "max_memory": "8GB", "max_cpus": 2.5, "expose": True,
                "max_model_size": "7B", "features": ["tensor_parallel"], "runtimes": ["llama.cpp", "vllm"],
            },
            "deny": ["sglang"],
        }
    ]
}  # fmt: skip
CONFIG = (DATA / "configs" / "config.yaml").read_bytes()
SETTINGS = {
    "runtime": {"default_mode": "native", "native_enabled": True, "container_engine": "podman", "log_dir": "/tmp/x"},
    "models": {"cache_dir": "/tmp/y"},
    "manifests": {"paths": ["/tmp/z"]},
    "engines": {"llama.cpp": {"path": "/bin/true", "python": "/usr/bin/python3"}},
    "logs": {"start_bytes": "1MB", "keep_starts": 3, "total_bytes": "10MB"},
    "restart": {"policy": "always", "first": "1s", "cap": 60, "max_tries": 2, "reset_after": "5m"},
    "limits": {"memory": "8GB", "cpus": 2, "pids": 100},
    "policy_file": "/tmp/p.yaml",
}
VARIABLES = [
    f"LAS_JUPYTER_{group}__{key}".upper() for group, rows in SETTINGS.items() if isinstance(rows, dict) for key in rows
]


def a_world(manifest: Any, mode: Mode) -> World:
    return World(
        entry=Entry(manifest, "file", Path("x.yaml"), True, "pinned", ""),
        machine=Machine(8.0, 64 * GIB, 60 * GIB, ("0",), "nvidia", {"0": (20 * GIB, 24 * GIB)}),
        backends=(Backend("native", Mode.NATIVE), Backend("docker", Mode.CONTAINER)),
        engine=Engine(("/bin/engine",), "1", "on PATH"),
        model=ModelFile("m", "/models/m.gguf", "m") if manifest.model else None,
        ports={row.default: "somebody" if mode is Mode.NATIVE else None for row in manifest.ports},
        free_ports=(40001, 40002),
        state_dir="/state",
    )


def plan_everything(manifest: Any) -> None:
    """Whatever loads can be planned, shown, and sent to a supervisor, or is refused in words."""
    for mode in Mode:
        request = StartRequest(manifest.name, mode=mode, gpus=("0",))
        plan = understood_or_refused(functools.partial(decide, request, a_world(manifest, mode)))
        if plan is not None:
            plan_text(plan)
            plan_html(plan)
            assert from_json(LaunchSpec, to_json(plan.spec)) == plan.spec


@careful
@given(mutated(TREES))
def test_a_manifest_with_other_values_is_understood_or_refused(tree):
    data = json.dumps(tree, ensure_ascii=True).encode()
    manifest = understood_or_refused(lambda: parse_manifest(data, "m.yaml"))
    if manifest is not None:
        plan_everything(manifest)
        entry = Entry(manifest, "file", Path("x.yaml"), True, "pinned", "")
        understood_or_refused(lambda: Catalog([entry]).start_order(entry))


@careful
@given(damaged(MANIFESTS))
def test_a_damaged_manifest_is_understood_or_refused(data):
    manifest = understood_or_refused(lambda: parse_manifest(data, "m.yaml"))
    if manifest is not None:
        plan_everything(manifest)


@careful
@given(st.one_of(damaged([*MANIFESTS, POLICY, CONFIG]), st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_yaml_is_read_or_unreadable(data):
    for read in (parse_yaml, own_checksum):
        try:
            read(data)
        except Unreadable as problem:
            assert problem.reason
            assert len(problem.reason.splitlines()) == 1


@careful
@given(st.one_of(as_json([yaml.safe_load(POLICY), OWN_POLICY]), damaged([POLICY])))
def test_a_policy_is_understood_or_refused(data):
    policies = understood_or_refused(lambda: parse_policies(data, "p.yaml"))
    for hardware in (Hardware(), Hardware(8, 32 * GIB, 0, 0, False), Hardware(64, 512 * GIB, 80 * GIB, 2, True)):
        if policies is not None:
            world = replace(a_world(LLAMA, Mode.NATIVE), policy=judge_policy(policies, hardware, "llama.cpp"))
            understood_or_refused(functools.partial(decide, EVERYTHING, world))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "las_jupyter").mkdir()
    return tmp_path / "las_jupyter"


@careful
@given(st.one_of(as_json([SETTINGS, yaml.safe_load(CONFIG)]), damaged([CONFIG])))
def test_settings_of_a_file_are_understood_or_refused(home, tmp_path, data):
    (home / "config.yaml").write_bytes(data)
    loaded = understood_or_refused(lambda: load_settings(tmp_path))
    if loaded is not None:
        loaded.explain()


@careful
@given(damaged([b'[runtime]\ndefault_mode = "native"\n[engines."llama.cpp"]\npath = "/x"\n[limits]\nmemory = "8GB"\n']))
def test_toml_is_understood_or_refused(home, tmp_path, data):
    (home / "las.toml").write_bytes(data)
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.las]\n" + data)
    understood_or_refused(lambda: load_settings(tmp_path))


@careful
@given(st.sampled_from(VARIABLES), st.one_of(st.sampled_from(WORDS), st.text(max_size=20)))
def test_a_variable_is_understood_or_refused(tmp_path, name, value):
    if "\0" in value:
        return
    with pytest.MonkeyPatch.context() as patch:
        try:
            patch.setenv(name, value)
        except (UnicodeEncodeError, ValueError):
            return
        understood_or_refused(lambda: load_settings(tmp_path))


@careful
@given(
    st.one_of(
        st.binary(max_size=100),
        as_json([{"/a": {"sha256": "sha256:0", "text": "x"}}]),
    )
)
def test_a_damaged_list_of_pins_trusts_nothing_new(home, tmp_path, data):
    (home / "trusted.json").write_bytes(data)
    assert not trust.standing(tmp_path / "other.yaml", b"name: x", trust.pins()).trusted
