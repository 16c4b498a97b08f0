"""A file that is not a whole GGUF is found out before anything is launched."""

# ruff: noqa: F811 - a test names the fixtures it wants

import struct

import pytest
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import given
from hypothesis import strategies as st
from model_index import gguf  # noqa: F401
from tiny_gguf import gguf_bytes

from las_jupyter.core.errors import InvalidModel
from las_jupyter.models.gguf_check import BLOCKS, check_gguf


def test_a_whole_file_is_accepted(gguf):
    check_gguf(gguf)


def test_a_tensor_type_of_tomorrow_is_not_called_short(gguf):
    gguf.write_bytes(gguf_bytes(kind=999))

    check_gguf(gguf)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"GGML\0\0\0\0", "it begins with b'GGML', not with b'GGUF'"),
        (b"<!DOCTYPE html><html>", "it is a web page, most likely an error page saved under the model's name"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer; the weights were not fetched"),
    ],
)
def test_another_kind_of_file_is_named(gguf, content, says):
    gguf.write_bytes(content)

    with pytest.raises(InvalidModel, match="is not a GGUF model") as caught:
        check_gguf(gguf)

    assert caught.value.cause == says


def test_a_cut_file_is_called_incomplete_with_both_sizes(gguf):
    whole = gguf.read_bytes()
    gguf.write_bytes(whole[:-1])

    with pytest.raises(InvalidModel, match="is incomplete") as caught:
        check_gguf(gguf)

    assert caught.value.cause == f"it has {len(whole) - 1:,} bytes of {len(whole):,}"


@given(cut=st.integers(min_value=0, max_value=len(gguf_bytes()) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "cut.gguf"
    path.write_bytes(gguf_bytes()[:cut])

    with pytest.raises(InvalidModel):
        check_gguf(path)


@given(at=st.integers(min_value=4, max_value=200), value=st.integers(min_value=0, max_value=255))
def test_a_damaged_header_never_shows_another_error(tmp_path_factory, at, value):
    content = bytearray(gguf_bytes())
    content[at] = value
    path = tmp_path_factory.mktemp("damaged") / "damaged.gguf"
    path.write_bytes(content)

    try:
        check_gguf(path)
    except InvalidModel:
        return


def test_an_old_version_is_refused_as_llama_cpp_refuses_it(gguf):
    gguf.write_bytes(gguf_bytes(version=1))

    with pytest.raises(InvalidModel, match="version 1"):
        check_gguf(gguf)


def test_a_folder_in_place_of_a_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(InvalidModel, match="cannot be read"):
        check_gguf(tmp_path)


def test_a_huge_count_does_not_keep_us_busy(gguf):
    content = bytearray(gguf_bytes())
    struct.pack_into("<Q", content, 16, 2**60)
    gguf.write_bytes(content)

    with pytest.raises(InvalidModel):
        check_gguf(gguf)


def test_the_sizes_of_tensor_types_are_those_of_the_gguf_package():
    ours = {kind: BLOCKS[kind] for kind in BLOCKS if kind in {int(known) for known in GGML_QUANT_SIZES}}

    assert ours == {int(kind): size for kind, size in GGML_QUANT_SIZES.items() if int(kind) in BLOCKS}


def test_a_file_that_was_good_is_refused_once_it_is_damaged(gguf):
    check_gguf(gguf)
    gguf.write_bytes(gguf.read_bytes()[:-1])

    with pytest.raises(InvalidModel, match="is incomplete"):
        check_gguf(gguf)
