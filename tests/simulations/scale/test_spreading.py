"""Waves of statements, and what one lost statement takes."""

from __future__ import annotations

from random import Random

import pytest

from simulations.scale import spreading
from simulations.scale.fleet import Fleet
from simulations.scale.spreading import Wave, missed, spread


def test_a_wave_reaches_all_within_milliseconds(fleet: Fleet) -> None:
    """The author has it first, then half, then all; each node counts once."""
    wave = Wave(fleet, fleet.hosts["node-0002"])
    fleet.run(1.0)

    half, last = wave.at(0.5), wave.at(1.0)
    assert half is not None
    assert last is not None
    assert len(wave.times_s) == 12
    assert 0 < wave.times_s[0] <= half <= last < 0.5
    assert wave.times_s == sorted(wave.times_s)


def test_who_is_cut_off_is_not_reached(fleet: Fleet) -> None:
    """Then the last never has it, and most others do."""
    others = [name for name in fleet.hosts if name != "node-0009"]
    fleet.network.cut(others, ["node-0009"])
    wave = Wave(fleet, fleet.hosts["node-0002"])
    fleet.run(1.0)

    assert wave.at(1.0) is None
    assert wave.at(11 / 12) is not None
    assert not wave.has(fleet.hosts["node-0009"])


@pytest.mark.slow
def test_readings_of_a_run(fleet: Fleet) -> None:
    """A sample for each statement, and some copies of each from each node."""
    readings = spread(fleet, Random(1), 0.0)

    for name in ("half_s", "most_s", "last_s"):
        samples = readings[name]
        assert isinstance(samples, list)
        assert len(samples) == spreading.STATEMENTS
    copies = readings["copies"]
    assert isinstance(copies, float)
    assert 2 < copies < 30
    assert readings["missed"] == 0


def test_one_node_is_pushed_past_and_repaired(selective: Fleet) -> None:
    """It has the statement later than by any push, for some bytes."""
    readings = missed(selective, Random(1))

    repaired_s, repaired_bytes = readings["repaired_s"], readings["repaired_bytes"]
    assert isinstance(repaired_s, float)
    assert isinstance(repaired_bytes, float)
    assert 0 < repaired_s < 10
    assert repaired_bytes > 0
