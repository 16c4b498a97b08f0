"""The backends of this repository keep the backend promise; containers do so in their own file."""

from __future__ import annotations

import pytest

from las_jupyter.backends.fake import FakeBackend
from las_jupyter.backends.native import NativeBackend
from las_jupyter.core.backend import Backend
from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.states import Mode
from las_jupyter.testing import BackendContract, Behaviour
from las_jupyter.testing.backend_contract import SCRIPTS


@pytest.mark.native
class TestNative(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return NativeBackend()

    def spec(self, behaviour: Behaviour) -> LaunchSpec:
        script = SCRIPTS.get(behaviour)
        argv = ("no-such-program-here",) if script is None else ("sh", "-c", script)
        return LaunchSpec("contract", "script", Mode.NATIVE, "native", argv)


class TestFake(BackendContract):
    probe_exits_3 = ("exit", "3")

    @pytest.fixture
    def backend(self) -> Backend:
        return FakeBackend()

    def spec(self, behaviour: Behaviour) -> LaunchSpec:
        argv = {
            Behaviour.IDLES: (),
            Behaviour.SPEAKS: ("says:hello from the module",),
            Behaviour.ENDS_WITH_7: ("ends:7",),
            Behaviour.DEAF: ("says:deaf", "deaf"),
            Behaviour.COUNTS: ("says:counting", "counts"),
            Behaviour.LEAVES_ONE: ("ends:7", "leaves:1"),
            Behaviour.MISSING: ("missing",),
        }[behaviour]
        return LaunchSpec("contract", "script", Mode.NATIVE, "fake", argv)
