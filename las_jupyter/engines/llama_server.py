"""
llama.cpp's own HTTP server from the prebuilt ``xllamacpp`` wheel, with ``llama-server``'s option names.

``python -m las_jupyter.engines.llama_server --model FILE --port N …`` stands in for ``llama-server`` where none
was compiled: the same routes, the same words in the log, exit status 1 on every failure. It listens before it
loads, so ``/health`` answers 503 while the model is read. TERM and INT end it with status 0 once the model is
loaded and, as with ``llama-server`` itself, by the signal before that.

This file imports nothing of ours: it is also run by its path in another Python that has ``xllamacpp`` only.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

_LONGEST_SILENCE = 30
"""
Seconds in which the rest of a request must go on coming. The engine's own hour lets whoever opens some thousand
connections and finishes no request keep everybody else out, without a key. Nothing is read while an answer is made.
"""

Convert = Callable[[str], Any]
Value = Any

USAGE = "usage: llama_server --model FILE [options]"


class UsageProblem(Exception):
    """The command line cannot be used; the text is what ``llama-server`` would write."""


class Option(NamedTuple):
    """
    One option: its spellings, where its value goes and how it is read.

    ``target`` is an attribute path of ``CommonParams``, or a name in ``_SPECIAL``. An option without ``convert``
    takes no value and stands for ``value``.
    """

    names: tuple[str, ...]
    target: str
    meaning: str
    convert: Convert | None = None
    value: Value = None
    env: str | None = None


def _on_off_auto(text: str) -> str:
    if text in ("on", "enabled", "true", "1"):
        return "ENABLED"
    if text in ("off", "disabled", "false", "0"):
        return "DISABLED"
    if text in ("auto", "-1"):
        return "AUTO"
    raise ValueError(f"unknown value '{text}', expected on, off or auto")


def _on_off(text: str) -> bool:
    answer = _on_off_auto(text)
    if answer == "AUTO":
        raise ValueError(f"unknown value '{text}', expected on or off")
    return answer == "ENABLED"


def _gpu_layers(text: str) -> int:
    words = {"auto": -1, "all": -2}
    return words[text] if text in words else int(text)


def _cache_type(text: str) -> str:
    known = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
    if text not in known:
        raise ValueError(f"unsupported cache type '{text}', expected one of {', '.join(known)}")
    return text.upper()


def _pooling(text: str) -> str:
    if text not in ("none", "mean", "cls", "last", "rank"):
        raise ValueError(f"unknown pooling type '{text}', expected none, mean, cls, last or rank")
    return text.upper()


OPTIONS: tuple[Option, ...] = (
    Option(("-h", "--help"), "help", "print this text"),
    Option(("--version",), "version", "print the version"),
    Option(("--list-devices",), "list_devices", "print the devices it can use"),
    Option(("-m", "--model"), "model.path", "the GGUF file to serve", str, env="LLAMA_ARG_MODEL"),
    Option(("-a", "--alias"), "alias", "names of the model, separated by commas", str, env="LLAMA_ARG_ALIAS"),
    Option(("--host",), "host", "address to listen on", str, env="LLAMA_ARG_HOST"),
    Option(("--port",), "port", "port to listen on (8080)", int, env="LLAMA_ARG_PORT"),
    Option(("--reuse-port",), "reuse_port", "let several servers share the port", value=True),
    Option(("--api-key-file",), "api_key_file", "file with one API key a line", str),
    Option(("--api-key",), "api_key", "refused: it would stand in the process list", str),
    Option(("-c", "--ctx-size"), "n_ctx", "context in tokens, 0: the model's own", int, env="LLAMA_ARG_CTX_SIZE"),
    Option(("-n", "--predict", "--n-predict"), "n_predict", "tokens to predict", int, env="LLAMA_ARG_N_PREDICT"),
    Option(("-b", "--batch-size"), "n_batch", "logical batch in tokens", int, env="LLAMA_ARG_BATCH"),
    Option(("-ub", "--ubatch-size"), "n_ubatch", "physical batch in tokens", int, env="LLAMA_ARG_UBATCH"),
    Option(("--keep",), "n_keep", "tokens to keep of the first prompt", int),
    Option(("-t", "--threads"), "threads", "threads (physical cores available)", int, env="LLAMA_ARG_THREADS"),
    Option(("-tb", "--threads-batch"), "threads_batch", "threads for prompts (same as --threads)", int),
    Option(("--threads-http",), "n_threads_http", "threads for requests", int, env="LLAMA_ARG_THREADS_HTTP"),
    Option(("-ngl", "--gpu-layers", "--n-gpu-layers"), "n_gpu_layers", "layers on the GPU: a number, auto or all",
           _gpu_layers, env="LLAMA_ARG_N_GPU_LAYERS"),
    Option(("-mg", "--main-gpu"), "main_gpu", "GPU to use when the model is not split", int),
    Option(("-np", "--parallel"), "n_parallel", "requests at once, -1: auto", int, env="LLAMA_ARG_N_PARALLEL"),
    Option(("-kvu", "--kv-unified"), "kv_unified", "one KV cache for all slots", value=True),
    Option(("-ctk", "--cache-type-k"), "cache_type_k", "type of the K cache", _cache_type,
           env="LLAMA_ARG_CACHE_TYPE_K"),
    Option(("-ctv", "--cache-type-v"), "cache_type_v", "type of the V cache", _cache_type,
           env="LLAMA_ARG_CACHE_TYPE_V"),
    Option(("-cram", "--cache-ram"), "cache_ram_mib", "MiB of kept prompts, 0: none", int,
           env="LLAMA_ARG_CACHE_RAM"),
    Option(("-fa", "--flash-attn"), "flash_attn", "on, off or auto", _on_off_auto, env="LLAMA_ARG_FLASH_ATTN"),
    Option(("--fit",), "fit_params", "on: fit unset values to the free memory", _on_off, env="LLAMA_ARG_FIT"),
    Option(("--mmap",), "load_mode", "map the model file", value="MMAP"),
    Option(("--no-mmap",), "load_mode", "read the model file instead of mapping it", value="NONE"),
    Option(("--mlock",), "load_mode", "keep the model in memory", value="MMAP_MLOCK"),
    Option(("--warmup",), "warmup", "run once before the first request", value=True),
    Option(("--no-warmup",), "warmup", "do not run before the first request", value=False),
    Option(("--swa-full",), "swa_full", "full-size cache for sliding windows", value=True),
    Option(("--context-shift",), "ctx_shift", "shift the context of endless generations", value=True),
    Option(("--no-context-shift",), "ctx_shift", "stop at the end of the context", value=False),
    Option(("--embedding", "--embeddings"), "embedding", "serve embeddings only", value=True,
           env="LLAMA_ARG_EMBEDDINGS"),
    Option(("--rerank", "--reranking"), "rerank", "serve reranking only", value=True, env="LLAMA_ARG_RERANKING"),
    Option(("--pooling",), "pooling", "none, mean, cls, last or rank", _pooling, env="LLAMA_ARG_POOLING"),
    Option(("--metrics",), "endpoint_metrics", "serve /metrics", value=True, env="LLAMA_ARG_ENDPOINT_METRICS"),
    Option(("--props",), "endpoint_props", "let POST /props change properties", value=True),
    Option(("--slots",), "endpoint_slots", "serve /slots", value=True),
    Option(("--no-slots",), "endpoint_slots", "do not serve /slots", value=False),
    Option(("--jinja",), "use_jinja", "use the model's own chat template", value=True),
    Option(("--no-jinja",), "use_jinja", "use a built-in chat template", value=False),
    Option(("--chat-template",), "chat_template", "chat template to use", str, env="LLAMA_ARG_CHAT_TEMPLATE"),
    Option(("--webui", "--ui"), "ui", "serve the web page", value=True),
    Option(("--no-webui", "--no-ui"), "ui", "do not serve the web page", value=False),
    Option(("-to", "--timeout"), "timeout", "seconds for reading (30) and writing", int, env="LLAMA_ARG_TIMEOUT"),
    Option(("--mmproj", "-mm"), "mmproj.path", "projector file of a multimodal model", str),
    Option(("--offline",), "offline", "never use the network", value=True, env="LLAMA_ARG_OFFLINE"),
    Option(("-s", "--seed"), "sampling.seed", "seed of the random numbers", int),
    Option(("--temp", "--temperature"), "sampling.temp", "temperature", float),
    Option(("--top-k",), "sampling.top_k", "top-k sampling", int),
    Option(("--top-p",), "sampling.top_p", "top-p sampling", float),
    Option(("--min-p",), "sampling.min_p", "min-p sampling", float),
    Option(("-lv", "--verbosity", "--log-verbosity"), "verbosity", "3: info, 4: buffer sizes, 5: debug", int),
    Option(("-v", "--verbose", "--log-verbose"), "verbosity", "log everything", value=5),
)  # fmt: skip

_BY_NAME = {name: option for option in OPTIONS for name in option.names}


def read_options(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, Value]:
    """
    What was asked for, by target: the environment first, then ``argv``, the later winning.

    Raises ``UsageProblem`` for an option that is unknown, lacks its value or cannot be read.
    """
    asked = _from_environment(environ)
    words = iter(argv)
    for word in words:
        option = _BY_NAME.get(word)
        if option is None:
            raise UsageProblem(f"error: invalid argument: {word}")
        asked[option.target] = option.value if option.convert is None else _value(option, word, next(words, None))
    if "api_key" in asked:
        raise UsageProblem(
            "error: --api-key would show the key in the process list; use --api-key-file or LLAMA_API_KEY"
        )
    return asked


def _from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    asked = {}
    for option in OPTIONS:
        text = environ.get(option.env) if option.env else None
        if text is None:
            continue
        try:
            if option.convert is not None:
                asked[option.target] = option.convert(text)
            elif _on_off(text):
                asked[option.target] = option.value
        except ValueError as error:
            raise UsageProblem(f'error while handling environment variable "{option.env}": {error}') from None
    return asked


def _value(option: Option, word: str, text: str | None) -> Value:
    try:
        if text is None:
            raise ValueError("expected value for argument")
        assert option.convert is not None
        return option.convert(text)
    except ValueError as error:
        raise UsageProblem(f'error while handling argument "{word}": {error}') from None


def read_api_keys(file: str | None, environ: Mapping[str, str]) -> list[str]:
    """The keys in ``file``, one a line, else the one in ``LLAMA_API_KEY``. Raises ``UsageProblem``."""
    if file is None:
        return [key for key in environ.get("LLAMA_API_KEY", "").split(",") if key]
    try:
        keys = [line.strip() for line in Path(file).read_text().splitlines() if line.strip()]
    except OSError:
        raise UsageProblem(f"error: failed to open file '{file}'") from None
    if not keys:
        # An empty file would leave the server open to everybody on this machine.
        raise UsageProblem(f"error: no API key in file '{file}'")
    return keys


def available_cpus() -> int:
    """Logical CPUs this process may use: its affinity, and the CPU quota of its cgroups, rounded up."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = _cgroup_quota()
    return max(1, min(affinity, quota) if quota else affinity)


def physical_cores() -> int:
    """Physical cores this process may use; hyper-threads of one core count once. What llama.cpp wants by default."""
    if not hasattr(os, "sched_getaffinity"):
        return max(1, (os.cpu_count() or 2) // 2)
    cores = set()
    for cpu in os.sched_getaffinity(0):
        try:
            siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text().strip()
        except OSError:
            siblings = str(cpu)
        cores.add(siblings)
    return max(1, min(len(cores), available_cpus()))


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The tightest CPU quota above us in whole CPUs, or None. Every ancestor's quota holds."""
    found = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / controllers if controllers else root
        folder = base / path.lstrip("/")
        found += [quota for place in (folder, *folder.parents) if (quota := _quota_in(place)) is not None]
    return min(found) if found else None


def _quota_in(folder: Path) -> int | None:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((folder / name).read_text() for name in names).split()
            return -(-int(quota) // int(period)) if int(quota) > 0 else None
        except (OSError, ValueError):  # not this version, or "max"
            continue
    return None


def choose_threads(asked: int | None) -> int:
    """
    ``asked`` threads, or the physical cores when None or below 1.

    More threads than CPUs spin against each other and make every answer many times slower, so the CPUs are the
    most that is used; stderr says so.
    """
    if asked is None or asked < 1:
        return physical_cores()
    most = available_cpus()
    if asked > most:
        print(f"warning: --threads {asked} is more than the {most} CPUs available here; using {most}", file=sys.stderr)
    return min(asked, most)


def fill(params: Any, asked: dict[str, Value], environ: Mapping[str, str], wheel: Any) -> None:
    """Carry ``asked`` over into xllamacpp's ``CommonParams``. Raises ``UsageProblem``."""
    params.hostnames = asked.pop("host", "127.0.0.1").split(",")
    params.port = asked.pop("port", 8080)
    params.n_parallel = asked.pop("n_parallel", -1)
    params.timeout_read = _LONGEST_SILENCE
    params.api_keys = read_api_keys(asked.pop("api_key_file", None), environ)
    threads = choose_threads(asked.pop("threads", None))
    params.cpuparams.n_threads = threads
    batch = asked.pop("threads_batch", None)
    params.cpuparams_batch.n_threads = threads if batch is None else choose_threads(batch)
    for target, value in asked.items():
        special = _SPECIAL.get(target)
        if special is not None:
            special(params, value, wheel)
        else:
            _set(params, target, value)


def _set(params: Any, target: str, value: Value) -> None:
    *parents, name = target.split(".")
    for parent in parents:
        params = getattr(params, parent)
    try:
        setattr(params, name, value)
    except (OverflowError, TypeError, ValueError) as error:
        raise UsageProblem(f"error: cannot use {value!r} for {target}: {error}") from None


def _set_alias(params: Any, value: str, _wheel: Any) -> None:
    params.model_alias = {name.strip() for name in value.split(",") if name.strip()}


def _set_timeout(params: Any, value: int, _wheel: Any) -> None:
    params.timeout_read = params.timeout_write = value


def _set_rerank(params: Any, _value: bool, wheel: Any) -> None:  # noqa: FBT001
    params.embedding = True
    params.pooling_type = wheel.llama_pooling_type.LLAMA_POOLING_TYPE_RANK


def _enum(attribute: str, enum: str, prefix: str) -> Callable[[Any, str, Any], None]:
    def carry(params: Any, value: str, wheel: Any) -> None:
        setattr(params, attribute, getattr(getattr(wheel, enum), prefix + value))

    return carry


_SPECIAL: dict[str, Callable[[Any, Any, Any], None]] = {
    "alias": _set_alias,
    "timeout": _set_timeout,
    "rerank": _set_rerank,
    "flash_attn": _enum("flash_attn_type", "llama_flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_"),
    "load_mode": _enum("load_mode", "llama_load_mode", "LLAMA_LOAD_MODE_"),
    "pooling": _enum("pooling_type", "llama_pooling_type", "LLAMA_POOLING_TYPE_"),
    "cache_type_k": _enum("cache_type_k", "ggml_type", "GGML_TYPE_"),
    "cache_type_v": _enum("cache_type_v", "ggml_type", "GGML_TYPE_"),
}


def help_text() -> str:
    """All options, one a line."""
    lines = [USAGE, ""]
    for option in OPTIONS:
        spelled = ", ".join(option.names) + (" VALUE" if option.convert else "")
        lines.append(f"  {spelled:<42} {option.meaning}")
    return "\n".join(lines)


def import_wheel() -> Any:
    """The ``xllamacpp`` module. Raises ``UsageProblem`` naming the install command."""
    try:
        import xllamacpp  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UsageProblem(
            f"error: xllamacpp cannot be imported by {sys.executable} ({error}); "
            f"install it with: {sys.executable} -m pip install xllamacpp"
        ) from None
    return xllamacpp


def serve(params: Any, wheel: Any) -> NoReturn:
    """Load the model, answer requests until TERM or INT, and end the process."""
    # While it loads, xllamacpp holds the interpreter lock in C++, and no Python handler could run: the default
    # action ends the process at once, as it ends llama-server.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    try:
        server = wheel.Server(params)
    except RuntimeError:
        # The log has said why, in llama-server's words.
        sys.exit(1)
    wait_for_a_signal()
    print("srv  terminate: asked to stop, exiting", file=sys.stderr, flush=True)
    # No clean-up on purpose: ``del server`` did not return within a minute while a prompt was read,
    # and nothing needs saving.
    assert server is not None
    os._exit(0)


def wait_for_a_signal() -> None:
    """Sleep until TERM or INT. Whichever thread the signal reaches, the pipe wakes this one."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    os.read(readable, 1)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; always ends the process."""
    try:
        asked = read_options(sys.argv[1:] if argv is None else argv, os.environ)
        if "help" in asked:
            print(help_text())
            sys.exit(0)
        wheel = import_wheel()
        if "version" in asked:
            print(f"version: {wheel.__version__} (xllamacpp)")
            sys.exit(0)
        if "list_devices" in asked:
            print("Available devices:")
            for device in wheel.get_device_info():
                print(f"  {device['name']}: {device['description']} ({device['memory_total'] >> 20} MiB)")
            sys.exit(0)
        if "model.path" not in asked:
            raise UsageProblem("error: --model is required: this runner serves one model")
        params = wheel.CommonParams()
        fill(params, asked, os.environ, wheel)
    except UsageProblem as problem:
        print(f"{problem}\n\n{USAGE}\nto show complete usage, run with -h", file=sys.stderr)
        sys.exit(1)
    # The key is in ``params`` now; children and /proc/self/environ readers in this process need it no more.
    os.environ.pop("LLAMA_API_KEY", None)
    serve(params, wheel)


if __name__ == "__main__":
    if __package__ in (None, ""):
        # Run by its path: the modules beside this file must not be taken for somebody else's.
        sys.path.pop(0)
    main()
