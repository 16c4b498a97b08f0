"""Sizes and durations as people write them."""

import pytest

from las_jupyter.core.quantities import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GB", 24 * 10**9), ("1.5 GiB", 3 * 2**29), ("2g", 2**31), ("512", 512), ("10kb", 10_000)],
)
def test_a_size_is_read_as_it_is_written(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "12 parsecs", "-3GB", "1.2.3MB"])
def test_a_size_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError):
        parse_size(text)


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("2m", 120), ("250ms", 0.25), ("7", 7), ("1h", 3600)])
def test_a_duration_is_read_as_it_is_written(text, seconds):
    assert parse_duration(text) == seconds


def test_sizes_and_durations_are_told_in_human_units():
    assert (format_size(1536), format_size(3 * 2**30), format_size(10)) == ("1.5 KiB", "3.0 GiB", "10 B")
    assert (format_duration(0.42), format_duration(200), format_duration(7500)) == (
        "0.4 s",
        "3 min 20 s",
        "2 h 5 min",
    )
