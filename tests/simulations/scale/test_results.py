"""Runs that are kept in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulations.scale.results import Results, Taken

READINGS: dict[str, float | list[float] | None] = {"last_s": [0.1, 0.2], "copies": 12.0, "equal_s": None}


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    """Runs come back from the file, in order, with every kind of reading."""
    path = tmp_path / "scale.json"
    results = Results(path)
    runs = [
        Taken("spread-0", nodes, seed, "abc", 1.5, dict(READINGS)) for nodes in (10, 100) for seed in (0, 1)
    ]
    for one in reversed(runs):
        results.add(one)

    again = Results(path)
    assert list(again) == runs
    assert again.sizes() == [10, 100]
    assert again.of("spread-0", 100) == runs[2:]
    assert again.has("spread-0", 10, 1)
    assert not again.has("spread-0", 10, 2)


def test_a_run_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    """There is one for each name, size and seed."""
    results = Results(tmp_path / "scale.json")
    results.add(Taken("idle", 10, 0, "abc", 1.0, {"x": 1.0}))
    results.add(Taken("idle", 10, 0, "def", 1.0, {"x": 2.0}))

    assert [one.commit for one in Results(tmp_path / "scale.json")] == ["def"]


def test_another_file_is_refused(tmp_path: Path) -> None:
    """Nothing that is something else is taken for results."""
    path = tmp_path / "scale.json"
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="Expecting"):
        Results(path)
