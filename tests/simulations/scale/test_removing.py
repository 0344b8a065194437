"""Removals in a cluster that is measured."""

from __future__ import annotations

from random import Random

import pytest

from simulations.scale.fleet import Fleet
from simulations.scale.removing import reclaim, reclaim_most

pytestmark = pytest.mark.slow


def test_one_is_removed(fleet: Fleet) -> None:
    """Every other node then holds the same ring without it, after one ballot."""
    readings = reclaim(fleet, Random(1))

    removed_s, usable_s = readings["removed_s"], readings["usable_s"]
    assert isinstance(removed_s, float)
    assert isinstance(usable_s, float)
    assert removed_s <= usable_s < 10
    assert readings["ballots"] == 1
    assert len({run.owner for run in fleet.runs(fleet.running()[0])}) == 11


def test_most_are_removed(fleet: Fleet) -> None:
    """The one that is left of twelve has it all."""
    readings = reclaim_most(fleet, Random(1))

    assert readings["usable_s"] is not None
    assert readings["ballots"] == 1
    assert len({run.owner for run in fleet.runs(fleet.running()[0])}) == 1
