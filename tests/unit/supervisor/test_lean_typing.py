"""The supervisor's small ``typing`` makes the same values as the real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from las_jupyter.core.launch import HttpProbe, LaunchSpec, Limits, Port, ReadyRule, RestartRule
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
