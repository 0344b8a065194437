"""Numbers as people read them."""

from __future__ import annotations

import pytest

from simulations.report.words import count, duration, moment, noun, number, size, times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0123, "12.3 ms"),
        (0.1, "0.1 s"),
        (1.42, "1.42 s"),
        (90, "90 s"),
        (600, "10 min"),
        (7200, "2 h"),
        (604800, "7 d"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    """Milliseconds for the shortest, days for the longest, three digits at most."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (21.6, "21.60 s"),
        (119.999, "120.00 s"),
        (125.25, "2:05.2"),
        (179.96, "3:00.0"),
        (3661, "1:01:01.0"),
        (90061.04, "1 d 1:01:01.0"),
    ],
)
def test_a_moment_is_a_clock_in_longer_runs(seconds: float, text: str) -> None:
    """Seconds for two minutes, then a clock whose seconds never say 60."""
    assert moment(seconds) == text


def test_counts_have_their_thousands_apart() -> None:
    """Of plain counts, of nouns, and of how often."""
    assert count(48211) == "48,211"
    assert [noun(1, "run"), noun(2000, "run"), noun(2, "spell", "spells apart")] == [
        "1 run",
        "2,000 runs",
        "2 spells apart",
    ]
    assert [times(0), times(1), times(31)] == ["never", "once", "31 times"]


def test_sizes_go_by_thousands() -> None:
    """Bytes to terabytes, three digits at most."""
    assert [size(0), size(612.5), size(999.9), size(374_000), size(2e13)] == [
        "0 B",
        "612 B",
        "1 kB",
        "374 kB",
        "20 TB",
    ]
    assert [number(0), number(0.126), number(12.34), number(1234.5)] == ["0", "0.13", "12.3", "1,234"]
