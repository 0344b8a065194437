"""The list of measurements."""

from __future__ import annotations

from itertools import pairwise

import pytest

from simulations.scale.measures import ALL, SIZES


@pytest.mark.parametrize("nodes", SIZES)
def test_each_size_has_runs_of_nearly_everything(nodes: int) -> None:
    """Only what takes too long, or too many sockets, is not measured in the largest cluster."""
    lacking = {name for name, one in ALL.items() if not one.seeds_count(nodes)}
    missing = {"newcomer", "mass-join", "daemon", "reclaim", "reclaim-900"}
    assert lacking == (missing if nodes == 5000 else set())


def test_larger_clusters_have_fewer_runs() -> None:
    """And sizes between those named have as many as the next smaller."""
    spread = ALL["spread-5"]
    assert [spread.seeds_count(nodes) for nodes in (2, 999, 1000, 4999, 5000)] == [5, 5, 2, 2, 1]


def test_those_of_one_cluster_stand_together() -> None:
    """So that it is made once."""
    shapes = [one.shape(10) for one in ALL.values()]
    changes = sum(before != after for before, after in pairwise(shapes))
    assert changes == len(set(shapes)) - 1
