"""Landmarks are always named, whether or not they were reached."""

from __future__ import annotations

from simulations.landmarks import LANDMARKS, added, reached


def test_every_landmark_has_a_number() -> None:
    """Those that were not reached have 0; what is no landmark is left out; the order is always the same."""
    found = reached({"torn": 3, "something else": 7})

    assert tuple(found) == tuple(LANDMARKS)
    assert found["torn"] == 3
    assert sum(found.values()) == 3


def test_runs_are_added_up() -> None:
    """Of several runs each landmark counts as often as in all of them; of none, never."""
    assert added([reached({"torn": 1}), reached({"torn": 2, "paused": 1})]) == reached(
        {"torn": 3, "paused": 1}
    )
    assert added([]) == reached({})


def test_each_has_a_meaning_of_its_own() -> None:
    """A reader can tell them apart."""
    assert len(set(LANDMARKS.values())) == len(LANDMARKS)
