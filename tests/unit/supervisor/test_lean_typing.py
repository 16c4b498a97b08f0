"""The supervisor's small ``typing`` makes the same values as the real one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from las_jupyter.core.launch import HttpProbe, LaunchSpec, Limits, LogProbe, Phase, Port, ReadyRule, RestartRule
from las_jupyter.core.states import Mode, RestartPolicy
from las_jupyter.core.wire import to_json

ROOT = Path(__file__).parents[3]
READ_BACK = """
import sys
sys.path.insert(0, sys.argv[1] + "/las_jupyter/supervisor")
import lean_typing
sys.modules["typing"] = lean_typing
sys.path.insert(0, sys.argv[1])
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.wire import from_json, to_json
spec = from_json(LaunchSpec, sys.argv[2])
assert spec.port("http").host == 8080
assert type(spec.ready.probe).__name__ == "HttpProbe", spec.ready
assert spec == spec._replace()
try:
    from_json(LaunchSpec, '{"name": 7}')
except ValueError as error:
    assert "LaunchSpec.name" in str(error), error
else:
    raise AssertionError("a wrong type was read")
print(to_json(spec))
"""


def test_a_spec_read_with_it_is_the_same_spec() -> None:
    spec = LaunchSpec(
        "one", "fake", Mode.NATIVE, "native", ("a", "b"), env={"A": "1"}, ports=(Port("http", 8080, 80),),
        ready=ReadyRule(HttpProbe(ok=(200, 204))), limits=Limits(memory=5, cpus=1.0),
        restart=RestartRule(RestartPolicy.ON_FAILURE),
    )  # fmt: skip
    command = [sys.executable, "-I", "-S", "-c", READ_BACK, str(ROOT), to_json(spec)]

    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert told.stderr == ""
    assert told.stdout.strip() == to_json(spec)


ALIKE = """
import sys, types
if sys.argv[2] == "lean":
    sys.path.insert(0, sys.argv[1] + "/las_jupyter/supervisor")
    import lean_typing
    sys.modules["typing"] = lean_typing
from typing import NamedTuple

class Pair(NamedTuple):
    "Two."
    one: int
    two: "str" = "b"

    @property
    def both(self):
        return f"{self.one}{self.two}"

    @classmethod
    def of(cls, one):
        return cls(one)

class Empty(NamedTuple):
    pass

def told(what):
    try:
        return repr(what())
    except Exception as error:
        return type(error).__name__

match Pair(5):
    case Pair(one, "b"):
        print(one)
for what in (
    lambda: Pair(1), lambda: Pair(two="c", one=2), lambda: Pair(1, "x").both, lambda: Pair.of(3), lambda: Empty(),
    lambda: Pair(), lambda: Pair(1, 2, 3), lambda: Pair(1, one=2), lambda: Pair(1, three=3), lambda: Pair(two=1),
    lambda: Pair(1)._replace(two=7), lambda: Pair(1)._replace(three=7), lambda: Pair._make([1, 2]),
    lambda: Pair._make([1, 2, 3]), lambda: Pair(1)._asdict(), lambda: Pair(1) == (1, "b"),
    lambda: hash(Pair(1)) == hash((1, "b")),
    lambda: Pair(1) < Pair(2), lambda: [*Pair(1)], lambda: Pair(1)[1], lambda: Pair(1)[0:1], lambda: len(Pair(1)),
    lambda: Pair._fields, lambda: Pair._field_defaults, lambda: Pair.__match_args__, lambda: Pair.__doc__,
    lambda: setattr(Pair(1), "one", 2), lambda: setattr(Pair(1), "new", 2), lambda: Pair(1).new,
    lambda: isinstance(Pair(1), tuple), lambda: Pair(1).__getnewargs__(), lambda: Pair.__name__, lambda: type(Pair(1)),
    lambda: list(Pair.__annotations__), lambda: f"{Pair(Pair(1))}",
):
    print(told(what))
"""


def test_its_named_tuples_do_what_those_of_the_real_one_do() -> None:
    def printed(which: str) -> list[str]:
        command = [sys.executable, "-I", "-S", "-c", ALIKE, str(ROOT), which]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    lean = printed("lean")

    assert lean == printed("real")
    assert len(lean) > 30


LOADED = """
import sys
sys.path.insert(0, sys.argv[1] + "/las_jupyter/supervisor")
import lean_typing
sys.modules["typing"] = lean_typing
sys.path.insert(0, sys.argv[1])
from las_jupyter.backends.table import load_backend
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.wire import from_json
from las_jupyter.state.lock import Lock
from las_jupyter.state.paths import StatePaths
from las_jupyter.supervisor.main import supervise
from las_jupyter.supervisor.process import Supervisor
paths, spec = StatePaths(sys.argv[2], sys.argv[2] + "/logs"), from_json(LaunchSpec, sys.argv[3])
Supervisor(paths, Lock(paths.lock("one")), load_backend("native"), spec, {}, None)
print(*(name for name in sys.modules if name.startswith("las_jupyter.")))
"""


def loaded(state: Path, spec: LaunchSpec) -> set[str]:
    """The modules of ours that a supervisor of ``spec`` has when it begins."""
    (state / "instances" / "one").mkdir(parents=True)
    command = [sys.executable, "-I", "-S", "-c", LOADED, str(ROOT), str(state), to_json(spec)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name.removeprefix("las_jupyter.") for name in told.split()}


@pytest.fixture
def near() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="las-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_supervisor_has_in_memory_only_what_its_spec_needs(near: Path) -> None:
    spec = LaunchSpec("one", "fake", Mode.NATIVE, "native", ("a",))

    assert not loaded(near, spec) & {"logs.patterns", "logs.shown", "logs.pump", "state.sockets", "limits.socket_files"}


@pytest.mark.parametrize("spec", [
    LaunchSpec("one", "fake", Mode.NATIVE, "native", ("a",), phases=(Phase("loading", "it loads"),)),
    LaunchSpec("one", "fake", Mode.NATIVE, "native", ("a",), ready=ReadyRule(LogProbe("ready"))),
])  # fmt: skip
def test_what_it_needs_later_is_there_from_the_beginning(near: Path, spec: LaunchSpec) -> None:
    assert "logs.patterns" in loaded(near, spec)


def test_below_a_long_path_the_way_to_its_socket_is_there_from_the_beginning(near: Path) -> None:
    assert "state.sockets" in loaded(near / ("d" * 120), LaunchSpec("one", "fake", Mode.NATIVE, "native", ("a",)))
