"""What an outcome says of many numbers."""

from __future__ import annotations

import pytest

from simulations.outcome import percentiles


@pytest.mark.parametrize(
    ("count", "p50", "p99"), [(1, 1.0, 1.0), (2, 1.0, 2.0), (100, 50.0, 99.0), (101, 51.0, 100.0)]
)
def test_percentiles_are_nearest_ranks(count: int, p50: float, p99: float) -> None:
    """Each is one of the numbers, the least that so large a part of them does not exceed."""
    descending = [float(number) for number in range(count, 0, -1)]

    assert percentiles(descending) == {"p50": p50, "p99": p99, "max": count}


def test_percentiles_are_whole_milliseconds() -> None:
    """What is shown does not pretend to be finer than what was measured."""
    assert percentiles([0.12345]) == {"p50": 0.123, "p99": 0.123, "max": 0.123}


def test_of_nothing_there_are_no_percentiles() -> None:
    """Whoever draws them can tell that there was nothing to measure."""
    assert percentiles([]) == {}
