"""
What every test may rely on: a state folder of its own, and an honest word about what is missing.

``LAS_TEST_EXAMPLES`` is how many values a property is tried with; the quick loop tries few, ``make test`` a hundred.
``LAS_TEST_REQUIRE`` names what must be there (``docker,podman,llamacpp,browser`` or ``all``): then a missing thing is a
failure, and so is every skip that ``tests/allowed-skips.txt`` does not explain.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from required import required

# The same examples every time: a new find belongs to who searches (--hypothesis-profile=default, scripts/fuzz), not to
# whoever happens to run the tests.
# No test is timed: on a busy machine the first example may take long.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, max_examples=int(os.environ.get("LAS_TEST_EXAMPLES", "100"))
)
settings.load_profile("repeatable")
ALLOWED_SKIPS = Path(__file__).parent / "allowed-skips.txt"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the person who runs the tests is read or written."""
    for variable in [name for name in os.environ if name.startswith("LAS_JUPYTER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("LAS_JUPYTER_STATE_DIR", str(tmp_path / "las-state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield


def _explained(reason: str) -> bool:
    lines = ALLOWED_SKIPS.read_text().splitlines()
    patterns = [line.split("#")[0].strip() for line in lines]
    return any(pattern and pattern in reason for pattern in patterns)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where everything is required, name the skips nobody explained."""
    if not required("all"):
        return
    for report in _unexplained(terminalreporter):
        terminalreporter.write_line(f"UNEXPLAINED SKIP {report.nodeid}: {report.longrepr}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skip nobody explained fails the run in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if required("all") and reporter is not None and _unexplained(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unexplained(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    skipped = reporter.stats.get("skipped", [])
    return [report for report in skipped if not _explained(str(report.longrepr))]
