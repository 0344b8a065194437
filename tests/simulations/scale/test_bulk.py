"""Splits that heal, and newcomers."""

from __future__ import annotations

from random import Random

from simulations.scale.bulk import newcomer, split
from simulations.scale.fleet import Fleet


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
