"""A number that nobody has: neither now, nor in a namespace that knows few, nor another one the next time."""

from __future__ import annotations

import os
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.resources import accounts
from las_jupyter.resources.accounts import FIRST, MANY, account, number_for, spare_number

EVERYTHING = ((0, 2**32 - 1),)


@given(st.text(), st.sets(st.integers(FIRST, FIRST + MANY - 1), max_size=20))
def test_nobody_has_it_and_the_same_name_gets_the_same_again(name, others):
    known = {*others, spare_number(name, lambda _: False, EVERYTHING)}  # the first choice is somebody's too

    found = spare_number(name, known.__contains__, EVERYTHING)

    assert found not in known
    assert FIRST <= found < FIRST + MANY
    assert found == spare_number(name, known.__contains__, EVERYTHING)


@given(st.text(), st.integers(20_010, 70_000))
def test_in_a_namespace_that_knows_few_numbers_it_is_one_of_those(name, count):
    assert spare_number(name, lambda _: False, ((0, count),)) < count


def test_a_namespace_of_one_number_has_none_to_spare():
    with pytest.raises(LookupError):
        spare_number("one", lambda _: False, ((0, 1),))


def test_what_is_lent_to_the_containers_of_others_is_not_taken(monkeypatch, tmp_path):
    first = number_for("one")
    lent = tmp_path / "subuid"
    lent.write_text(f"# people\nalice:{first}:65536\nbroken line\nbob:x:y\n")
    ranges = accounts._ranges
    monkeypatch.setattr(accounts, "_ranges", lambda path: ranges(str(lent)))

    assert not first <= number_for("one") < first + 65536


def test_on_this_machine_it_is_neither_a_user_nor_a_group():
    number = number_for("redis")

    assert account(number) == ""
    assert account(0) == pwd.getpwuid(0).pw_name
    assert account(2**40) == ""
    assert number != os.getuid()
