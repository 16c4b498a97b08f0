"""The memory a model needs, by worked examples and by what must hold of any model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.resources import fit
from las_jupyter.resources.fit import Shape, Verdict
from las_jupyter.resources.gguf_info import GgufFacts

MIB, GIB = 2**20, 2**30

LLAMA_3_8B = GgufFacts(
    architecture="llama", context=131072, layers=32, embedding=4096, heads=32, heads_kv=(8,) * 32, key_length=128,
    value_length=128, vocabulary=128256, layer_bytes=(140 * MIB,) * 32, other_bytes=400 * MIB,
    embedding_bytes=280 * MIB,
)  # fmt: skip
QWEN_25_7B = LLAMA_3_8B._replace(layers=28, heads_kv=(4,) * 28, layer_bytes=(140 * MIB,) * 28)


def test_the_cache_of_llama_3_8b_is_128_kib_a_token():
    assert fit.cache_bytes(LLAMA_3_8B, Shape(8192)) == 1 * GIB
    assert fit.cache_bytes(LLAMA_3_8B, Shape(131072)) == 16 * GIB


def test_the_cache_of_qwen_2_5_7b_is_56_kib_a_token():
    assert fit.cache_bytes(QWEN_25_7B, Shape(32768)) == int(1.75 * GIB)


def test_a_cache_of_eight_bits_is_counted_with_its_scales():
    full = fit.cache_bytes(LLAMA_3_8B, Shape(8192))

    assert fit.cache_bytes(LLAMA_3_8B, Shape(8192, 1, "q8_0", "q8_0")) == full * 34 // 64


def test_a_windowed_layer_keeps_its_window_and_a_batch():
    half = LLAMA_3_8B._replace(window=1024, windowed=(True, False) * 16)

    assert fit.cache_bytes(half, Shape(8192)) == 16 * 4096 * (8192 + 1536)


def test_compressed_attention_is_counted_once_a_layer():
    deepseek = LLAMA_3_8B._replace(latent=576)

    assert fit.cache_bytes(deepseek, Shape(8192)) == 32 * 576 * 2 * 8192


def test_recurrent_state_does_not_grow_with_the_context():
    mamba = LLAMA_3_8B._replace(heads_kv=(0,) * 32, state_bytes=5 * MIB)

    assert fit.cache_bytes(mamba, Shape(4096, 2)) == fit.cache_bytes(mamba, Shape(65536, 2)) == 10 * MIB


def test_a_verdict_is_tight_inside_the_margin():
    assert fit.judge_fit(10, 20, 5) is Verdict.FITS
    assert fit.judge_fit(16, 20, 5) is Verdict.TIGHT
    assert fit.judge_fit(21, 20, 5) is Verdict.WILL_NOT_FIT


@given(room=st.integers(0, 40 * GIB))
def test_the_largest_context_fits_and_the_next_one_does_not(room):
    shape = Shape(LLAMA_3_8B.context)

    found = fit.largest_context(LLAMA_3_8B, shape, room)

    assert found == 0 or fit.need_of(LLAMA_3_8B, shape._replace(context=found)).total <= room
    if found < shape.context:
        assert fit.need_of(LLAMA_3_8B, shape._replace(context=found + fit.PAD)).total > room


@given(room=st.integers(0, 12 * GIB))
def test_the_most_layers_fit_and_one_more_does_not(room):
    shape = Shape(8192)

    found = fit.most_layers(LLAMA_3_8B, shape, room)

    assert fit.device_need(LLAMA_3_8B, shape, found) <= room or found == 0
    if found < LLAMA_3_8B.layers:
        assert fit.device_need(LLAMA_3_8B, shape, found + 1) > room


def test_a_tied_output_is_on_the_gpu_a_second_time():
    tied = LLAMA_3_8B._replace(tied=True)

    more = fit.device_need(tied, Shape(8192), 32) - fit.device_need(LLAMA_3_8B, Shape(8192), 32)

    assert more == LLAMA_3_8B.embedding_bytes


def test_vllm_claims_what_is_free_and_never_more_than_it_may():
    assert fit.vllm_utilisation(24 * GIB, 24 * GIB) == 0.92
    assert fit.vllm_utilisation(24 * GIB, 13 * GIB) == 0.5
    assert fit.vllm_utilisation(24 * GIB, 1 * GIB) is None


@given(total=st.integers(1, 200 * GIB), data=st.data())
def test_what_vllm_claims_is_free(total, data):
    free = data.draw(st.integers(0, total))

    share = fit.vllm_utilisation(total, free)

    assert share is None or share * total <= free
