"""Splits that heal, and newcomers."""

from __future__ import annotations

from random import Random

import pytest

from simulations.scale.bulk import mass_join, newcomer, split
from simulations.scale.fleet import Fleet, Shape
from simulations.scale.policies import POLICIES


def test_halves_differ_and_agree_again(fleet: Fleet) -> None:
    """Each half knows its own changes only, until the split heals."""
    readings = split(fleet, Random(1), 10.0)

    assert readings["differing"] == 2
    equal_s = readings["equal_s"]
    assert isinstance(equal_s, float)
    assert 0 < equal_s < 60
    assert len({host.fingerprint for host in fleet.running()}) == 1


def test_a_newcomer_is_told_all(large_ring: Fleet) -> None:
    """It knows the ring and serves, for about as many bytes as the ring has."""
    readings = newcomer(large_ring, Random(1))

    equal_s, ready_s, received = (readings[name] for name in ("equal_s", "ready_s", "received_bytes"))
    assert isinstance(equal_s, float)
    assert isinstance(ready_s, float)
    assert isinstance(received, float)
    assert 0 < equal_s <= ready_s < 10
    assert 1000 * 20 < received < 1000 * 500


@pytest.mark.slow
def test_all_who_join_at_once_are_served() -> None:
    """Each has an address soon, for a grant or two, and after some quiet two runs at most."""
    readings = mass_join(Fleet(Shape(3, joiners=17), POLICIES["ours"], "seed"), Random(1), 60.0)
    half_s, all_s, grants, runs = (
        readings[name] for name in ("half_s", "all_s", "grants_per_node", "runs_after_quiet")
    )

    assert (readings["served"], readings["refused"]) == (17, 0)
    assert isinstance(half_s, float)
    assert isinstance(all_s, float)
    assert isinstance(grants, float)
    assert isinstance(runs, float)
    assert 0 < half_s <= all_s < 5
    assert 1 <= grants < 3
    assert runs <= 2 * 20 + 17
