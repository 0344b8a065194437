"""Scenarios by name."""

from __future__ import annotations

import pytest

from simulations import scenarios


def test_names_are_those_of_files() -> None:
    """A file `split_two.py` is the scenario `split-two`, names are sorted, and each can be loaded."""
    names = scenarios.names()

    assert "split-two" in names
    assert sorted(names) == list(names)
    assert [] == [name for name in names if not scenarios.load(name).NODES]


def test_sentence_is_the_first_line() -> None:
    """What `list` says of a scenario is one sentence."""
    assert (
        "A clean split into two halves, both of which go on allocating; then it heals."
        == scenarios.sentence(scenarios.load("split-two"))
    )


def test_missing_is_until() -> None:
    """A scenario that can run lacks nothing; one that cannot says what it waits for."""
    waiting = scenarios.load("split-two")
    assert scenarios.missing(waiting) is None

    assert [] == [
        name
        for name in scenarios.names()
        if (scenarios.missing(scenarios.load(name)) is not None) != hasattr(scenarios.load(name), "UNTIL")
    ]


def test_pool_is_its_own_or_everybodys() -> None:
    """A scenario has the range that it names, and most name none."""
    assert scenarios.pool(scenarios.load("cold-start")) == "10.32.0.0/22"
    assert scenarios.pool(scenarios.load("split-two")) == "10.32.0.0/24"


@pytest.mark.parametrize("name", ["", "split_two", "splt-two", "../cli", "__init__"])
def test_unknown_names_are_refused(name: str) -> None:
    """Nothing but a scenario is loaded by a scenario's name."""
    with pytest.raises(LookupError):
        scenarios.load(name)
