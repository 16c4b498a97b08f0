"""A change of health is told at once, and a thousand of them are told in a few lines a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from las_jupyter.health.telling import MOST, WINDOW, Told, change, settle


def test_the_first_changes_of_a_minute_are_told_one_by_one():
    told, lines = Told(), []
    for number in range(MOST + 5):
        told, more = change(told, f"change {number}", 100.0 + number / 10)
        lines += more

    assert lines == [f"change {number}" for number in range(MOST)]


def test_what_was_not_told_is_counted_in_one_line_once_the_minute_is_over():
    told = Told()
    for number in range(MOST + 5):
        told, _ = change(told, f"change {number}", 100.0 + number / 10)

    assert settle(told, 100.0 + WINDOW / 2) == (told, [])
    told, lines = settle(told, 100.0 + WINDOW)
    assert lines == [f"5 more changes within a minute, at last change {MOST + 4}"]
    assert settle(told, 100.0 + 2 * WINDOW) == (told, [])


@given(some.lists(some.floats(0, 30), max_size=200))
def test_however_it_flaps_no_minute_has_more_lines_than_the_bound_and_no_change_is_lost(pauses):
    now, told, lines = 1000.0, Told(), []
    for number, pause in enumerate(pauses):
        now += pause
        told, more = change(told, f"change {number}", now)
        lines += [(now, line) for line in more]
    _, more = settle(told, now + 2 * WINDOW)
    lines += [(now + 2 * WINDOW, line) for line in more]

    for at, _ in lines:
        # Two windows may meet in any minute, each with its own lines and the count of the one before.
        assert sum(1 for other, _ in lines if at <= other < at + WINDOW) <= 2 * (MOST + 1)
    counted = sum(int(line.split()[0]) for _, line in lines if "more changes" in line)
    assert counted + sum("more changes" not in line for _, line in lines) == len(pauses)
    if pauses:
        assert lines[-1][1].endswith(f"change {len(pauses) - 1}")
