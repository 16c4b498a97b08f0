"""What a model's config.json says of its attention: heads, windows, compressed caches and recurrent states."""

from __future__ import annotations

from typing import Any, NamedTuple

_LAYERS_AT_MOST = 100_000
_RECURRENT = frozenset(("mamba", "mamba2", "linear_attention", "recurrent", "ssm"))
_NO_ATTENTION = _RECURRENT | frozenset(("mlp", "moe", "conv"))


class Attention(NamedTuple):
    """
    The shape of a model. A list by layer has one entry for each layer.

    ``heads_kv`` is 0 for layers without attention. ``window`` is the sliding window in tokens, 0 for none, and
    ``windowed`` the layers it holds for. ``latent`` is the width of one compressed entry (MLA), 0 for none.
    ``state_bytes`` is the fixed state of the recurrent layers for one sequence. ``element_bytes`` is the size of one
    number as the model computes.
    """

    context: int
    layers: int
    hidden: int
    inner: int
    vocabulary: int
    heads: int
    heads_kv: tuple[int, ...]
    head_dim: int
    window: int = 0
    windowed: tuple[bool, ...] = ()
    latent: int = 0
    state_bytes: int = 0
    element_bytes: int = 2

    def cache_bytes(self, context: int, sequences: int = 1, element: float | None = None, batch: int = 2048) -> int:
        """
        The KV cache of ``sequences`` of ``context`` tokens each, with ``element`` bytes a number.

        A windowed layer keeps its window and what one step of ``batch`` tokens adds. Rounded up to blocks of 16.
        """
        each = self.element_bytes if element is None else element
        total = 0.0
        for index, heads in enumerate(self.heads_kv):
            if not heads:
                continue
            inside = bool(self.windowed) and self.windowed[index]
            kept = min(context, self.window + batch) if inside else context
            total += -(-kept // 16) * 16 * (self.latent or 2 * heads * self.head_dim) * each
        return round(total) * sequences + self.state_bytes * sequences


def read_attention(config: dict[str, Any]) -> Attention | None:
    """The shape, or None where the file says too little or nothing that makes sense. Of several models the text's."""
    inner = next((config[key] for key in ("text_config", "llm_config") if isinstance(config.get(key), dict)), None)
    said = _Said({**config, **inner} if inner else config)
    layers = said.number("num_hidden_layers", "n_layer", "n_layers")
    hidden = said.number("hidden_size", "n_embd", "d_model")
    if not 0 < layers <= _LAYERS_AT_MOST or not hidden:
        return None
    heads = said.number("num_attention_heads", "n_head")
    grouped = said.number("num_key_value_heads", "num_kv_heads") or (1 if said.get("multi_query") is True else heads)
    kinds = _kinds(said, layers)
    states = sum(kind in _RECURRENT for kind in kinds)
    lora = said.number("kv_lora_rank")
    window, windowed = _window(said, kinds)
    return Attention(
        context=said.number("max_position_embeddings", "n_positions", "max_seq_len"),
        layers=layers,
        hidden=hidden,
        inner=said.number("intermediate_size", "n_inner") or 4 * hidden,
        vocabulary=said.number("vocab_size"),
        heads=heads,
        heads_kv=tuple(0 if kind in _NO_ATTENTION else grouped for kind in kinds),
        head_dim=said.number("head_dim", "attention_head_dim") or (hidden // heads if heads else 0),
        window=window,
        windowed=windowed,
        latent=lora + said.number("qk_rope_head_dim") if lora else 0,
        state_bytes=states * _state_bytes(said, hidden),
        element_bytes=4 if said.get("torch_dtype", said.get("dtype")) == "float32" else 2,
    )


class _Said:
    """A config in which each number has one of several names."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    def get(self, name: str, default: Any = None) -> Any:
        return self._config.get(name, default)

    def number(self, *names: str) -> int:
        """The first that is a sensible number, else 0."""
        for name in names:
            value = self._config.get(name)
            if type(value) is int and 0 <= value < 2**40:
                return value
        return 0


def _kinds(said: _Said, layers: int) -> list[str]:
    """What each layer is; attention where the config does not say."""
    for name in ("layer_types", "layers_block_type"):
        listed = said.get(name)
        if isinstance(listed, list) and len(listed) == layers:
            return [str(each) for each in listed]
    pattern = said.get("hybrid_override_pattern")
    if isinstance(pattern, str) and len(pattern) == layers:
        return [{"M": "mamba", "-": "mlp", "E": "moe"}.get(letter, "attention") for letter in pattern]
    period, offset = said.number("attn_layer_period"), said.number("attn_layer_offset")
    if period:
        return ["attention" if index % period == offset else "mamba" for index in range(layers)]
    listed = said.get("attn_layer_indices")
    if isinstance(listed, list) and said.get("mamba_d_state"):
        return ["attention" if index in listed else "mamba" for index in range(layers)]
    whole = str(said.get("model_type", "")) in ("mamba", "mamba2", "falcon_mamba", "rwkv")
    return ["mamba" if whole else "attention"] * layers


def _window(said: _Said, kinds: list[str]) -> tuple[int, tuple[bool, ...]]:
    """Only where the layers are named: full attention, which is assumed otherwise, is never too little."""
    window = said.number("sliding_window")
    windowed = tuple(kind == "sliding_attention" for kind in kinds)
    if not window or said.get("use_sliding_window") is False or not any(windowed):
        return 0, ()
    return window, windowed


def _state_bytes(said: _Said, hidden: int) -> int:
    """Convolution and state of one recurrent layer for one sequence, in 32-bit numbers."""
    if said.number("linear_value_head_dim"):
        keys = said.number("linear_num_key_heads") * said.number("linear_key_head_dim")
        values = said.number("linear_num_value_heads") * said.number("linear_value_head_dim")
        state = values * said.number("linear_key_head_dim")
        return 4 * (max(0, said.number("linear_conv_kernel_dim") - 1) * (2 * keys + values) + state)
    width = said.number("mamba_num_heads", "mamba_n_heads") * said.number("mamba_head_dim", "mamba_d_head")
    width = width or hidden * (said.number("mamba_expand", "expand") or 2)
    state = said.number("mamba_d_state", "ssm_state_size", "state_size")
    groups = said.number("mamba_n_groups", "n_groups")
    kernel = said.number("mamba_d_conv", "conv_kernel") or 4
    return 4 * (max(0, kernel - 1) * (width + 2 * groups * state) + width * state)
