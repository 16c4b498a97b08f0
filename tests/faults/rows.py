"""The fault catalogue: its rows, each with the start of the names of the tests that try it."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One fault; ``tests`` begin the names of its tests, by default ``test_NN_``."""

    number: int
    fault: str
    tests: tuple[str, ...] = ()

    @property
    def prefixes(self) -> tuple[str, ...]:
        return self.tests or (f"test_{self.number:02}_",)


ROWS = tuple(
    Row(number, *rest)
    for number, *rest in (
        (1, "the kernel is killed while the server runs"),
        (2, "the kernel is restarted in an orderly way"),
        (3, "the kernel is interrupted during a start"),
        (4, "the kernel is killed in the middle of a start"),
        (5, "the supervisor is killed"),
        (6, "supervisor and server are killed together"),
        (7, "the main process is killed and its workers live"),
        (8, "the supervisor is stopped by a signal"),
        (9, "the server is stopped by a signal"),
        (10, "the server ignores the stop signal"),
        (11, "the server needs long to stop"),
        (12, "the server cannot be ended"),
        (13, "a daemon outlives its main process"),
        (14, "the tree forks all the time"),
        (15, "the tree is a fork bomb"),
        (16, "the main process reaps nothing"),
        (17, "a grandchild holds the log open"),
        (18, "the number of the server is used again"),
        (19, "the number of the supervisor is used again"),
        (20, "the machine was booted again"),
        (21, "the wall clock is stepped"),
        (22, "everything sleeps for a while"),
        (23, "a stranger has the port"),
        (24, "the port is taken between look and bind"),
        (25, "a foreign server answers on the port"),
        (26, "the health page never answers"),
        (27, "the health page never ends"),
        (28, "the server loads for long"),
        (29, "the health changes all the time"),
        (30, "clients start one name at once"),
        (31, "clients start, stop and restart one name at once"),
        (32, "the holder of the start lock is killed"),
        (33, "the lock file is deleted"),
        (34, "files of the state are damaged"),
        (35, "the state folder is deleted"),
        (36, "the log is deleted"),
        (37, "the log folder is deleted"),
        (38, "the disk is full for logs"),
        (39, "the disk is full for the state"),
        (40, "the file system is read-only"),
        (41, "the server floods its log"),
        (42, "the server writes a line without end"),
        (43, "the server writes bytes that are no text"),
        (44, "the log is trimmed while it is read"),
        (45, "the server writes much and ends at once"),
        (46, "the program cannot be run"),
        (47, "the server ends by itself"),
        (48, "the memory limit is reached"),
        (49, "the server crashes and is not restarted"),
        (50, "the server crashes and is restarted"),
        (51, "no descriptors are left"),
        (52, "no process can be made"),
        (53, "the package is deleted under a supervisor"),
        (54, "supervisor and manager are of different versions"),
        (61, "the session ends"),
        (62, "the server is frozen and thawed"),
        (63, "the state folder is hostile"),
        (55, "an engine's daemon is killed and started again"),
        (58, "the shim or monitor of a container is killed"),
        (59, "an engine hangs"),
        (64, "modules are started and stopped many times"),
    )
)
"""Rows tried by tests of this folder."""

ENGINE_ROWS = (
    Row(56, "a container is removed behind our back", ("test_a_container_removed_behind_our_back",)),
    Row(60, "the pull of an image is cut off", ("test_a_connection_that_is_cut", "test_a_supervisor_that_dies_leaves")),
    Row(57, "a foreign container has the name", ("test_a_foreign_container_of_our_name",)),
)
"""Rows tried where containers are tested."""

UNTRIED: dict[int, str] = {}
"""Rows no test tries yet, so that the gap is seen. A row that gets its test is moved out of here."""
