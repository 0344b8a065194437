"""What the tables show is measured."""

from __future__ import annotations

import pytest

from simulations.scale.measures import ALL
from simulations.scale.tables import TABLES, percentile_95


def test_every_row_is_of_a_measurement() -> None:
    """And each measurement is in a table."""
    shown = {row.name for _, rows in TABLES.values() for row in rows}
    assert shown == set(ALL)


@pytest.mark.parametrize(
    ("values", "result"), [([3.0], 3.0), ([*range(1, 21)], 19), ([*range(1, 101)], 95), ([2.0, 1.0], 2.0)]
)
def test_at_most_one_in_twenty_is_over_the_percentile(values: list[float], result: float) -> None:
    """The least such value."""
    assert percentile_95(values) == result
