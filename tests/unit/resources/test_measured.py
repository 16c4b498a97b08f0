"""What servers used is kept in one small file, and no damage to it stops a plan or a stop."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from las_jupyter.resources.measured import Measured, larger, read_measurements, record_measurement

MIB = 2**20


def test_the_largest_of_several_is_kept(tmp_path):
    for memory, written in ((300, True), (324, True), (310, False), (0, False)):
        assert record_measurement(str(tmp_path), "a", Measured(memory * MIB, float(memory))) is written

    assert read_measurements(str(tmp_path)) == {"a": Measured(324 * MIB, 324.0)}
    assert (tmp_path / "measured.json").stat().st_mode & 0o077 == 0


def test_a_server_without_a_key_is_not_kept(tmp_path):
    assert not record_measurement(str(tmp_path), "", Measured(MIB, 1.0))


def test_the_oldest_rows_give_way():
    known = {f"row {at}": Measured(MIB, float(at)) for at in range(200)}

    after = larger(known, "new", Measured(MIB, 1000.0))

    assert len(after) == 200
    assert "new" in after and "row 0" not in after and "row 1" in after


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"rows": 5}', b'{"rows": {"a": {"memory": "x", "at": 1}}}', b"[" * 10000,
     b'{"rows": {"a": {"memory": -1, "at": 1}}}', b'{"rows": {"a": 7}}', b" " * 2 * MIB],
)  # fmt: skip
def test_a_damaged_file_is_as_none_and_is_written_anew(tmp_path, damage):
    (tmp_path / "measured.json").write_bytes(damage)

    assert read_measurements(str(tmp_path)) == {}
    assert record_measurement(str(tmp_path), "a", Measured(MIB, 1.0))
    assert read_measurements(str(tmp_path)) == {"a": Measured(MIB, 1.0)}


def test_a_row_that_makes_no_sense_does_not_cost_the_others(tmp_path):
    rows = {"good": {"memory": MIB, "at": 1.5, "of tomorrow": 1}, "bad": {"memory": None, "at": 1}}
    (tmp_path / "measured.json").write_text(json.dumps({"rows": rows}))

    assert read_measurements(str(tmp_path)) == {"good": Measured(MIB, 1.5)}


def test_where_nothing_can_be_written_nothing_is_raised(tmp_path):
    assert not record_measurement(str(tmp_path / "missing"), "a", Measured(MIB, 1.0))
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "measured.json").symlink_to("/etc/hostname")
    assert read_measurements(str(tmp_path / "link")) == {}


def test_clients_that_write_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: record_measurement(str(tmp_path), f"k{at}", Measured(MIB, float(at))), range(24)))

    assert len(read_measurements(str(tmp_path))) == 24
    assert {path.name for path in Path(tmp_path).iterdir()} == {"measured.json", "measured.lock"}
