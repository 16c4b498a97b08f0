"""Which argument made a server listen on all addresses, as far as it says so plainly."""

from __future__ import annotations

import pytest

from las_jupyter.core.launch import LaunchSpec, Provenance
from las_jupyter.core.lifecycle import OPEN
from las_jupyter.core.snapshot import Snapshot
from las_jupyter.core.states import Mode, ProcessState, Trust
from las_jupyter.logs.reader import LogReader
from las_jupyter.runtime.explain import explain


@pytest.mark.parametrize(
    ("argv", "cure"),
    [
        (("redis-server", "--bind", "0.0.0.0"), "leave out --bind 0.0.0.0"),
        (("redis-server", "--bind 0.0.0.0"), "leave out '--bind 0.0.0.0'"),
        (("postgres", "-c", "listen_addresses=*"), "leave out 'listen_addresses=*'"),
        (("x", "--host=::"), "leave out --host=::"),
        (("x", "$(id) 0.0.0.0"), "leave out '$''(id) 0.0.0.0'"),
        (("x", "--config", "file"), "%las plan db shows what it is told"),
    ],
)
def test_the_remedy_names_it_or_where_to_look(argv, cure, tmp_path):
    spec = LaunchSpec("one", "db", Mode.NATIVE, "native", argv)
    snapshot = Snapshot("one", "db", Mode.NATIVE, "native", ProcessState.FAILED, f"it listens on 0.0.0.0:1, {OPEN}")

    error = explain(spec, snapshot, LogReader(str(tmp_path / "none.log")))

    assert error.remedy == f"{cure}; --expose opens it to the network on purpose"
    assert error.cause == snapshot.reason


def test_a_module_that_was_named_by_its_file_is_named_so_again(tmp_path):
    theirs = Provenance(Trust.TRUSTED, "/srv/my db.yaml")
    spec = LaunchSpec("one", "db", Mode.NATIVE, "native", ("x",), manifest=theirs)
    snapshot = Snapshot("one", "db", Mode.NATIVE, "native", ProcessState.FAILED, f"it listens on 0.0.0.0:1, {OPEN}")

    error = explain(spec, snapshot, LogReader(str(tmp_path / "none.log")))

    assert error.remedy is not None
    assert error.remedy.startswith("%las plan '/srv/my db.yaml' shows what it is told")
