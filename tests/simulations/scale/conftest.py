"""A small cluster of the measured kind."""

from __future__ import annotations

import pytest

from simulations.scale.fleet import Fleet, Shape
from simulations.scale.policies import POLICIES

NODES = 12


def fleet_of(policy: str = "ours", runs_count: int = 0, seed: str = "1") -> Fleet:
    """One that has settled."""
    return Fleet(Shape(NODES, runs_count, policy), POLICIES[policy], seed)


@pytest.fixture
def fleet() -> Fleet:
    """One with our gossip."""
    return fleet_of()


@pytest.fixture
def memberlist() -> Fleet:
    """One with memberlist's parameters."""
    return fleet_of("memberlist")


@pytest.fixture
def selective() -> Fleet:
    """One whose pushes can go past a node."""
    return fleet_of("selective")


@pytest.fixture
def large_ring() -> Fleet:
    """One with a thousand runs of owners that are gone."""
    return fleet_of(runs_count=1000)
