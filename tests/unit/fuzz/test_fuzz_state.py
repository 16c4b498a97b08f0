"""What lies on the disk: models, state files, journals, claims. Crashes and full disks write there too."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from fuzzing import as_json, careful, damaged, mutated, understood_or_refused
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.errors import InvalidModel
from las_jupyter.core.launch import LaunchSpec, Port, SecretUse
from las_jupyter.core.snapshot import EventRecord, ExitRecord, Health, Snapshot
from las_jupyter.core.states import HealthState, Mode, ProcessState
from las_jupyter.core.wire import from_data, to_data, to_json
from las_jupyter.display.lists import events_table, health_table
from las_jupyter.display.status import instance_card, instance_line, status_table
from las_jupyter.models.gguf_check import check_gguf
from las_jupyter.resources.gguf_info import all_parameters, read_gguf
from las_jupyter.resources.parameters import count_parameters
from las_jupyter.runtime import kept_data
from las_jupyter.runtime.claims import PortClaims
from las_jupyter.state.files import read_value
from las_jupyter.state.journal import replay
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.main import _rebuilt


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def a_header() -> bytes:
    """A whole GGUF file with every kind of value, two layers and no weights to speak of."""
    pairs = [
        _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"llama"),
        _text(b"general.alignment") + struct.pack("<II", 4, 32),
        _text(b"llama.block_count") + struct.pack("<II", 4, 2),
        _text(b"llama.context_length") + struct.pack("<II", 4, 4096),
        _text(b"llama.embedding_length") + struct.pack("<II", 4, 64),
        _text(b"llama.attention.head_count") + struct.pack("<II", 4, 8),
        _text(b"llama.attention.head_count_kv") + struct.pack("<IIQii", 9, 5, 2, 2, 2),
        _text(b"llama.attention.sliding_window") + struct.pack("<II", 4, 128),
        _text(b"llama.attention.sliding_window_pattern") + struct.pack("<IIQ??", 9, 7, 2, True, False),
        _text(b"llama.rope.freq_base") + struct.pack("<If", 6, 1e4),
        _text(b"split.count") + struct.pack("<IH", 2, 1),
        _text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 3) + _text(b"a") + _text(b"") + _text(b"ccc"),
        _text(b"nested") + struct.pack("<IIQIQB", 9, 9, 1, 0, 1, 7),
    ]
    tensors = [
        _text(name) + struct.pack("<IQQIQ", 2, 32, 4, 1, at * 256)
        for at, name in enumerate((b"token_embd.weight", b"blk.0.attn_k.weight", b"blk.1.ssm_conv1d.weight"))
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + bytes(3 * 256)


def flat_header() -> bytes:
    """The same without the array of arrays, which only one of the two readers steps over."""
    whole = a_header()
    at = whole.index(_text(b"nested"))
    length = len(_text(b"nested")) + struct.calcsize("<IIQIQB")
    return b"GGUF" + struct.pack("<IQQ", 3, 3, 12) + whole[24:at] + whole[at + length :]


@careful
@given(
    st.one_of(damaged([a_header(), flat_header()]), st.binary(max_size=100).map(lambda tail: b"GGUF\3\0\0\0" + tail))
)
def test_a_damaged_model_is_understood_or_refused(tmp_path, data):
    model = tmp_path / "m.gguf"
    model.write_bytes(data)
    understood_or_refused(lambda: check_gguf(model))
    facts = understood_or_refused(lambda: read_gguf(model))
    if facts is not None:
        assert facts.weights >= 0
        all_parameters(model, facts)


def test_a_model_whose_lists_are_nested_without_end_is_refused(tmp_path):
    model = tmp_path / "deep.gguf"
    model.write_bytes(
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text(b"k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 100_000
    )

    assert understood_or_refused(lambda: check_gguf(model)) is None
    assert understood_or_refused(lambda: read_gguf(model)) is None


@pytest.mark.timeout(60)
def test_a_tensor_of_a_million_dimensions_is_refused_at_once(tmp_path):
    model = tmp_path / "wide.gguf"
    dimensions = 1_000_000
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + _text(b"t") + struct.pack("<I", dimensions)
    model.write_bytes(head + b"\xff" * (8 * dimensions) + struct.pack("<IQ", 0, 0))

    with pytest.raises(InvalidModel):
        check_gguf(model)


@careful
@given(
    st.one_of(mutated([{"a": {"dtype": "I32", "shape": [2, 3], "data_offsets": [0, 1]}}]), st.just({})),
    st.binary(max_size=9),
)
def test_a_damaged_safetensors_file_is_counted_or_not(tmp_path, tree, tail):
    header = json.dumps(tree).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + tail)
    found = count_parameters(tmp_path)
    assert found is None or found >= 0


SNAPSHOT = Snapshot(
    "one", "x", Mode.NATIVE, "native", ProcessState.FAILED, "it ended", Health(HealthState.HEALTHY, "yes", None, 1.8e9),
    pid=7, started_at=1.8e9, ready_at=1.8e9, ports=(Port("http", 1, 2),), url="http://127.0.0.1:1", log_path="/l",
    exit=ExitRecord(1, None, False, False, "ended with code 1", 1.8e9), enforcement={"memory": "watched"},
    warnings=("careful",), supervisor_pid=8, supervisor_ticks=9,
)  # fmt: skip
SPEC = LaunchSpec(
    "one", "x", Mode.NATIVE, "native", ("x",), ports=(Port("http", 1, 2),), secrets=(SecretUse("key", "KEY"),)
)
EVENT = EventRecord(1.8e9, "Launched", "starting", "starting", "", 1, {"id": "7", "token": "x", "log": "/l"})


@pytest.mark.parametrize("kind", [SNAPSHOT, SPEC, EVENT], ids=lambda kind: type(kind).__name__)
def test_a_value_that_was_changed_is_read_whole_or_not_at_all(kind):
    @careful
    @given(mutated([to_data(kind)]))
    def check(tree):
        try:
            value = from_data(type(kind), tree)
        except ValueError as error:
            assert str(error)
            return
        assert type(value) is type(kind)

    check()


@careful
@given(mutated([to_data(SNAPSHOT)]))
def test_a_state_that_could_be_read_can_be_shown(tree):
    try:
        snapshot = from_data(Snapshot, tree)
    except ValueError:
        return
    for show in (status_table, health_table):
        table = show([snapshot], now=1.8e9)
        repr(table)
        table._repr_html_()
    instance_line(snapshot)
    instance_card(snapshot, now=1.8e9)
    to_json(snapshot)


@careful
@given(st.one_of(damaged([to_json(SNAPSHOT).encode()]), as_json([to_data(SNAPSHOT)])))
def test_a_damaged_state_file_is_read_or_kept_aside(tmp_path, data):
    path = tmp_path / "state.json"
    path.write_bytes(data)
    if read_value(str(path), Snapshot) is None:
        aside = [each for each in tmp_path.iterdir() if "corrupt" in each.name]
        assert any(each.read_bytes() == data for each in aside)


@careful
@given(
    st.lists(
        st.one_of(as_json([to_data(EVENT)]), damaged([to_json(EVENT).encode()])),
        max_size=4,
    )
)
def test_a_damaged_journal_tells_what_it_can(tmp_path, lines):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([to_json(EVENT).encode(), *lines]))
    journal = replay(str(path))
    assert EVENT in journal
    table = events_table(journal)
    repr(table)
    table._repr_html_()
    rebuilt = _rebuilt(SPEC, journal)
    assert rebuilt is None or isinstance(rebuilt.state, ProcessState)


@careful
@given(
    st.one_of(
        st.binary(max_size=60),
        as_json([[{"port": 1, "name": "a", "at": 1.8e9}], {"key": "x"}]),
    )
)
def test_damaged_claims_and_keys_hinder_nobody(tmp_path, data):
    paths = StatePaths(str(tmp_path), str(tmp_path / "logs"))
    for place in (Path(paths.instance("one")), Path(paths.data("one"))):
        place.mkdir(parents=True, exist_ok=True)
    (tmp_path / "ports.json").write_bytes(data)
    Path(paths.secrets("one")).write_bytes(data)
    understood_or_refused(lambda: PortClaims(paths).claim(SPEC._replace(name="two", ports=(Port("p", 4000, 4000),))))
    assert all(isinstance(value, str) for value in kept_data.secrets(paths, "one").values())
