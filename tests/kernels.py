"""A real kernel for a test: run cells in it, interrupt it, kill it, and know what it showed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[1]


class Shown(NamedTuple):
    """What a cell showed: its stream text, the plain text of its results, every MIME bundle, and its error."""

    text: str
    result: str
    bundles: list[dict[str, Any]]
    error: str
    error_lines: str
    ok: bool


class Kernel:
    """One ipykernel with our package on its path."""

    def __init__(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        self._spec()
        self.manager.start_kernel(env=environment)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def _spec(self) -> None:
        # Not the kernelspec of whoever runs the tests: the Python of this test run.
        spec = self.manager.kernel_spec
        assert spec is not None
        spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return self.manager.provisioner.pid

    def begin(self, code: str) -> str:
        """Send a cell and return its message id without waiting."""
        return self.client.execute(code)

    def run(self, code: str, *, timeout: float = 120) -> Shown:
        """Run one cell to its end."""
        return self.finish(self.begin(code), timeout=timeout)

    def wait_for_text(self, message: str, text: str, *, timeout: float = 30) -> None:
        """Return once the cell with that message id has printed ``text``."""
        deadline, seen = time.monotonic() + timeout, ""
        while text not in seen:
            got = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if got["parent_header"].get("msg_id") == message and got["msg_type"] == "stream":
                seen += got["content"]["text"]

    def finish(self, message: str, *, timeout: float = 120) -> Shown:
        """What the cell with that message id showed, once it has ended."""
        text, result, bundles, error, lines = "", "", [], "", ""
        deadline = time.monotonic() + timeout
        while True:
            got = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if got["parent_header"].get("msg_id") != message:
                continue
            content = got["content"]
            match got["msg_type"]:
                case "stream":
                    text += content["text"]
                case "execute_result" | "display_data" | "update_display_data":
                    bundles.append(content["data"])
                    result = content["data"].get("text/plain", result)
                case "error":
                    error, lines = content["ename"], "\n".join(content["traceback"])
                case "status" if content["execution_state"] == "idle":
                    return Shown(text, result, bundles, error, lines, not error)

    def restart(self) -> None:
        """As the Restart button does."""
        self.manager.restart_kernel(now=False)
        self.client.wait_for_ready(timeout=60)

    def interrupt(self) -> None:
        """As the Interrupt button does."""
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """As the kernel's OOM does: no word of farewell."""
        self.manager.signal_kernel(9)

    def close(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextmanager
def a_kernel() -> Iterator[Kernel]:
    """A kernel that is gone at the end of the block."""
    kernel = Kernel()
    try:
        yield kernel
    finally:
        kernel.close()
