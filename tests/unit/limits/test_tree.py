"""Which processes belong to an instance: real ones that fork, leave and rename themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import eventually

from las_jupyter.limits.tree import boot_id, members, read_process
from las_jupyter.limits.usage import measure, proportional_memory

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
loner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, loner.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def family() -> Iterator[tuple[int, int, int]]:
    """A main process with a child in its session and one that left it."""
    main = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert main.stdout is not None
    child, loner = map(int, main.stdout.readline().split())
    yield main.pid, child, loner
    for pid in (loner, child):
        os.kill(pid, 9)
    main.kill()
    main.wait()
    main.stdout.close()


def test_a_child_and_one_that_left_the_session_are_members(family):
    main, child, loner = family

    assert {process.pid for process in members(main)} == {main, child, loner}


def test_we_are_no_member_of_what_we_started(family):
    assert os.getpid() not in {process.pid for process in members(family[0])}


def test_the_session_still_tells_when_the_main_process_is_gone(family):
    main, child, _ = family
    os.kill(main, 9)

    eventually(lambda: main not in {each.pid for each in members(main)}, "the main process is gone")
    assert child in {process.pid for process in members(main)}


def test_a_name_with_blanks_and_parentheses_does_not_confuse(tmp_path: Path):
    odd = tmp_path / "a) R 1 ("
    odd.symlink_to(sys.executable)
    process = subprocess.Popen([odd, "-c", "import time; time.sleep(60)"])
    try:
        eventually(lambda: (found := read_process(process.pid)) and found.name.startswith("a) R"), "it runs")
        found = read_process(process.pid)
        assert found is not None
        assert found.parent == os.getpid()
    finally:
        process.kill()
        process.wait()


def test_a_process_that_does_not_exist_is_none():
    assert read_process(2**22 + 1) is None


def test_the_memory_of_a_tree_is_the_sum_of_its_processes(family):
    tree = members(family[0])
    used = measure(tree)

    assert used.processes == 3
    assert used.memory > 3 * 2**20
    assert used.memory <= sum(proportional_memory(each.pid) for each in tree) * 2


def test_this_boot_has_an_id():
    assert len(boot_id()) == 36
