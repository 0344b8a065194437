"""The page of results."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from simulations.scale.page import page, plots, shown, value_of
from simulations.scale.results import Results, Taken
from simulations.scale.spreading import STATEMENTS
from simulations.scale.tables import Row


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Some runs of two measurements in two sizes."""
    made = Results(tmp_path / "scale.json")
    for nodes, last_s in ((10, 0.002), (1000, 0.7)):
        readings: dict[str, float | list[float] | None] = {
            "half_s": [0.001] * STATEMENTS,
            "most_s": [0.002] * STATEMENTS,
            "last_s": [last_s] * STATEMENTS,
            "copies": 12.0,
            "copy_bytes": 1500.0,
            "streamed_bytes": 0.0,
        }
        made.add(Taken("spread-0", nodes, 0, "abcdef", 1.0, readings))
    return made


def test_a_value_over_its_bar_is_bold(results: Results) -> None:
    """The last of ten is soon enough, the last of a thousand is not."""
    assert "| the last, 0 % lost (p95) | 2 ms | **700 ms** | 500 ms |" in page(results).splitlines()


def test_what_was_not_measured_is_empty(results: Results) -> None:
    """Tables are whole all the same, and the page says of which commit it is."""
    text = page(results)
    assert "| dead to all (max) |  |  | 15 s |" in text
    assert text.endswith("Measured at abcdef.\n")


def test_plots_stand_beside_it(results: Results) -> None:
    """Each that the page shows is a file, and small."""
    files = plots(results)
    assert all(f"]({name})" in page(results) for name in files)
    assert all(name.endswith(".svg") and len(text) < 100_000 for name, text in files.items())


def test_what_never_came_is_more_than_any_time() -> None:
    """A missing sample and a reading of None count as infinite."""
    row = Row(text="", name="spread-0", reading="last_s", fold=max, unit="s")

    def runs(reading: list[float] | float | None) -> list[Taken]:
        return [Taken("spread-0", 10, 0, "", 1.0, {"last_s": reading})]

    assert value_of(row, runs([0.1] * STATEMENTS)) == 0.1
    assert value_of(row, runs([0.1] * (STATEMENTS - 1))) == inf
    assert value_of(row, runs(None)) == inf
    assert value_of(row, []) is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", ""),
        (inf, "s", "never"),
        (0.1234, "s", "123 ms"),
        (12.34, "s", "12.3 s"),
        (3600.0, "s", "3,600 s"),
        (0.0, "", "0"),
        (512.0, "B", "512 B"),
        (2_345_678.0, "B", "2.35 MB"),
        (224.6, "B/s", "225 B/s"),
        (2.004, "/s", "2/s"),
    ],
)
def test_values_have_three_digits_and_a_unit(value: float | None, unit: str, text: str) -> None:
    """In the unit that suits them."""
    assert shown(value, unit) == text
