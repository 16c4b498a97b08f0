"""The runner reads llama-server's command line, and refuses in llama-server's words."""

import os
from types import SimpleNamespace

import pytest

from las_jupyter.engines import llama_server
from las_jupyter.engines.llama_server import OPTIONS, UsageProblem, read_api_keys, read_options


@pytest.mark.parametrize(
    ("argv", "target", "value"),
    [
        (["-m", "x.gguf"], "model.path", "x.gguf"),
        (["--model", "x.gguf"], "model.path", "x.gguf"),
        (["--port", "9000"], "port", 9000),
        (["-c", "2048"], "n_ctx", 2048),
        (["--ctx-size", "2048"], "n_ctx", 2048),
        (["-t", "3"], "threads", 3),
        (["-ngl", "auto"], "n_gpu_layers", -1),
        (["--gpu-layers", "all"], "n_gpu_layers", -2),
        (["--n-gpu-layers", "7"], "n_gpu_layers", 7),
        (["-np", "2"], "n_parallel", 2),
        (["-fa", "on"], "flash_attn", "ENABLED"),
        (["--flash-attn", "auto"], "flash_attn", "AUTO"),
        (["--no-mmap"], "load_mode", "NONE"),
        (["-ctk", "q8_0"], "cache_type_k", "Q8_0"),
        (["--metrics"], "endpoint_metrics", True),
        (["--no-slots"], "endpoint_slots", False),
        (["--temp", "0.5"], "sampling.temp", 0.5),
    ],
)
def test_an_option_of_llama_server_is_understood(argv, target, value):
    assert read_options(argv, {}) == {target: value}


def test_the_last_of_two_wins():
    assert read_options(["-c", "1", "--ctx-size", "2"], {}) == {"n_ctx": 2}


def test_the_environment_counts_where_the_command_line_is_silent():
    environ = {"LLAMA_ARG_CTX_SIZE": "1", "LLAMA_ARG_PORT": "5", "LLAMA_ARG_ENDPOINT_METRICS": "1"}

    assert read_options(["-c", "2"], environ) == {"n_ctx": 2, "port": 5, "endpoint_metrics": True}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--mdel", "x"], "error: invalid argument: --mdel"),
        (["x.gguf"], "error: invalid argument: x.gguf"),
        (["--port"], 'error while handling argument "--port": expected value for argument'),
        (["-fa", "maybe"], "unknown value 'maybe'"),
        (["-ctk", "f8"], "unsupported cache type 'f8'"),
        (["--api-key", "sesame"], "--api-key would show the key in the process list"),
    ],
)
def test_what_it_does_not_know_is_refused_in_one_sentence(argv, says):
    with pytest.raises(UsageProblem) as caught:
        read_options(argv, {})

    assert says in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_bad_number_names_the_option():
    with pytest.raises(UsageProblem, match='error while handling argument "--ctx-size"'):
        read_options(["--ctx-size", "many"], {})


def test_a_bad_value_in_the_environment_names_the_variable():
    with pytest.raises(UsageProblem, match='environment variable "LLAMA_ARG_PORT"'):
        read_options([], {"LLAMA_ARG_PORT": "http"})


def test_no_two_options_share_a_spelling():
    names = [name for option in OPTIONS for name in option.names]

    assert len(names) == len(set(names))


def test_every_option_is_in_the_help():
    text = llama_server.help_text()

    assert all(name in text for option in OPTIONS for name in option.names)


def test_keys_come_from_the_file_one_a_line_and_else_from_the_environment(tmp_path):
    file = tmp_path / "keys"
    file.write_text("one\n\n two \n")

    assert read_api_keys(str(file), {"LLAMA_API_KEY": "three"}) == ["one", "two"]
    assert read_api_keys(None, {"LLAMA_API_KEY": "three"}) == ["three"]
    assert read_api_keys(None, {}) == []


def test_an_empty_key_file_does_not_open_the_server_to_everybody(tmp_path):
    file = tmp_path / "keys"
    file.write_text("\n")

    with pytest.raises(UsageProblem, match="no API key in file"):
        read_api_keys(str(file), {"LLAMA_API_KEY": "three"})


def test_a_key_file_that_is_not_there_is_named():
    with pytest.raises(UsageProblem, match="failed to open file '/no/such/keys'"):
        read_api_keys("/no/such/keys", {})


def test_hyperthreads_count_once_and_only_the_cpus_we_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(llama_server, "_cgroup_quota", lambda: None)
    monkeypatch.setattr(llama_server.Path, "read_text", lambda path: "0,1" if "cpu2/" not in str(path) else "2,3")

    assert llama_server.available_cpus() == 3
    assert llama_server.physical_cores() == 2


@pytest.mark.parametrize(
    ("files", "membership", "cpus"),
    [
        ({"cpu.max": "150000 100000"}, "0::/\n", 2),
        ({"cpu.max": "max 100000"}, "0::/\n", None),
        ({"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b\n", 3),
        ({"a/cpu.max": "100000 100000", "a/b/cpu.max": "300000 100000"}, "0::/a/b\n", 1),
        ({"cpu,cpuacct/a/cpu.cfs_quota_us": "50000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
         "4:cpu,cpuacct:/a\n", 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/\n", None),
    ],
)  # fmt: skip
def test_the_tightest_quota_of_the_cgroups_above_counts(tmp_path, files, membership, cpus):
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "membership").write_text(membership)

    assert llama_server._cgroup_quota(tmp_path / "fs", tmp_path / "membership") == cpus


def test_more_threads_than_cpus_are_cut_to_the_cpus_and_said(monkeypatch, capsys):
    monkeypatch.setattr(llama_server, "available_cpus", lambda: 2)
    monkeypatch.setattr(llama_server, "physical_cores", lambda: 1)

    assert llama_server.choose_threads(999) == 2
    assert "--threads 999 is more than the 2 CPUs" in capsys.readouterr().err
    assert llama_server.choose_threads(2) == 2
    assert llama_server.choose_threads(None) == 1
    assert llama_server.choose_threads(-1) == 1


def test_every_option_reaches_a_parameter_the_wheel_has():
    wheel = pytest.importorskip("xllamacpp", reason="llamacpp: xllamacpp is not installed")
    examples = {"int": "3", "float": "0.5", "str": "word", "_gpu_layers": "3", "_on_off_auto": "on", "_on_off": "off",
                "_cache_type": "q8_0", "_pooling": "mean"}  # fmt: skip
    special = {"help", "version", "list_devices", "api_key", "api_key_file"}

    for option in OPTIONS:
        if option.target in special:
            continue
        argv = [option.names[0]] + ([examples[option.convert.__name__]] if option.convert else [])
        llama_server.fill(wheel.CommonParams(), read_options(argv, {}), {}, wheel)


def test_a_number_too_large_for_the_wheel_is_a_usage_problem():
    wheel = pytest.importorskip("xllamacpp", reason="llamacpp: xllamacpp is not installed")

    with pytest.raises(UsageProblem, match="n_ctx"):
        llama_server.fill(wheel.CommonParams(), {"n_ctx": 2**70}, {}, wheel)


def test_a_wheel_that_cannot_be_imported_is_one_sentence_with_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xllamacpp", None)

    with pytest.raises(UsageProblem, match="-m pip install xllamacpp"):
        llama_server.import_wheel()


def test_it_listens_on_this_machine_only_unless_told():
    params = SimpleNamespace(cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())

    llama_server.fill(params, {}, {}, None)

    assert params.hostnames == ["127.0.0.1"]


def test_a_request_that_is_never_finished_is_waited_for_half_a_minute_unless_told_otherwise():
    def filled(asked):
        params = SimpleNamespace(cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace(), timeout_write=3600)
        llama_server.fill(params, asked, {}, None)
        return params.timeout_read, params.timeout_write

    assert filled({}) == (30, 3600)
    assert filled(read_options(["--timeout", "600"], {})) == (600, 600)
    assert filled(read_options([], {"LLAMA_ARG_TIMEOUT": "5"})) == (5, 5)
