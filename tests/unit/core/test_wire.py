"""Values survive the trip through JSON, and damage is named."""

import pytest

from las_jupyter.core.launch import HttpProbe, LaunchSpec, LogProbe, Port, ReadyRule
from las_jupyter.core.states import Mode
from las_jupyter.core.wire import from_data, from_json, to_data, to_json


def a_spec(**changes: object) -> LaunchSpec:
    spec = LaunchSpec(name="x", module="x", mode=Mode.NATIVE, backend="native", argv=("true",))
    return spec._replace(**changes)  # type: ignore[arg-type]


def test_a_launch_spec_survives_the_trip_through_json():
    spec = a_spec(ports=(Port("http", 8080, 8080),), ready=ReadyRule(LogProbe("ready"), limit=3.0), env={"A": "b"})

    assert from_json(LaunchSpec, to_json(spec)) == spec


def test_a_probe_keeps_its_kind():
    spec = a_spec(ready=ReadyRule(HttpProbe(path="/health", loading=(503,))))

    assert type(from_json(LaunchSpec, to_json(spec)).ready.probe) is HttpProbe


def test_a_field_from_the_future_is_ignored():
    data = {**to_data(a_spec()), "field_of_next_year": 1}

    assert from_data(LaunchSpec, data) == a_spec()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"argv": "true"}, "LaunchSpec.argv is not an array"),
        ({"mode": "magic"}, "LaunchSpec.mode cannot be 'magic'"),
        ({"ports": [{"name": "http"}]}, r"LaunchSpec.ports\[0\] lacks host, inner"),
        ({"name": None}, "LaunchSpec.name is NoneType, not str"),
    ],
)
def test_damage_is_named_by_its_field(damage, says):
    with pytest.raises(ValueError, match=says):
        from_data(LaunchSpec, {**to_data(a_spec()), **damage})
