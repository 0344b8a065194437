"""Deaths, returns and idle traffic."""

from __future__ import annotations

from random import Random

import pytest

from simulations.scale.fleet import Fleet
from simulations.scale.members import crash, idle, lossy, mass_restart, slowed


def test_idle_traffic_is_that_of_probes(fleet: Fleet) -> None:
    """Two packets a second, and what is sent is received."""
    readings = idle(fleet, Random(1), 20.0)

    assert readings["packets_per_s"] == pytest.approx(2.0, rel=0.1)
    assert readings["received_bytes_per_s"] == pytest.approx(readings["sent_bytes_per_s"], rel=0.01)
    most = readings["sent_bytes_per_s_max"]
    assert isinstance(most, float)
    assert 100 < most < 400


def test_a_crash_and_a_return_are_known_to_all(fleet: Fleet) -> None:
    """First somebody, then everybody says dead; after the restart everybody says alive."""
    readings = crash(fleet, Random(1))

    first_s, dead_s, alive_s = (readings[name] for name in ("first_s", "dead_to_all_s", "alive_to_all_s"))
    assert isinstance(first_s, float)
    assert isinstance(dead_s, float)
    assert isinstance(alive_s, float)
    assert 1 < first_s <= dead_s < 30
    assert 0 < alive_s < 30
    assert readings["false_deaths"] == 0


def test_a_death_that_is_none_is_counted(fleet: Fleet) -> None:
    """One that nobody hears is called dead by all; it doubts itself before it calls others dead."""
    others = [name for name in fleet.hosts if name != "node-0003"]
    fleet.network.cut(["node-0003"], others)

    readings = lossy(fleet, Random(1), 30.0)

    assert readings["false_deaths"] == 1
    assert readings["believed"] == 11


def test_slow_nodes_are_slow(fleet: Fleet) -> None:
    """Three tenths of the nodes, rounded up, take some packets seconds late; the others take none late."""
    slowed(fleet, Random(1), 1.0)

    drawn = [[host.delayed() for _ in range(1000)] for host in fleet.running()]
    late = [sum(delay_s >= 0.5 for delay_s in delays_s) for delays_s in drawn]
    assert sorted(map(bool, late)) == [False] * 8 + [True] * 4
    assert all(50 < count < 200 for count in late if count)


def test_nine_tenths_start_again(fleet: Fleet) -> None:
    """All see all again."""
    readings = mass_restart(fleet, Random(1))

    seen_s = readings["all_see_all_s"]
    assert isinstance(seen_s, float)
    assert all(host.gossip.members.alive_count == 11 for host in fleet.running())
    assert len(fleet.running()) == 12
