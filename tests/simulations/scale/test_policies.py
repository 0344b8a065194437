"""Pushes that go past one member."""

from __future__ import annotations

from random import Random

from simulations.scale.fleet import Fleet
from simulations.scale.policies import POLICIES, SelectiveGossip
from simulations.scale.spreading import Wave


def test_no_push_reaches_the_one(selective: Fleet) -> None:
    """All others have a statement at once."""
    past = selective.hosts["node-0006"]
    for host in selective.running():
        assert isinstance(host.gossip, SelectiveGossip)
        host.gossip.push_past(past.settings.endpoint)
    wave = Wave(selective, Random(1).choice([host for host in selective.running() if host is not past]))
    selective.run(0.05)

    assert len(wave.times_s) >= 9
    assert not wave.has(past)


def test_there_is_ours_and_there_is_theirs() -> None:
    """Both are there to be compared."""
    assert {"ours", "memberlist"} <= set(POLICIES)
