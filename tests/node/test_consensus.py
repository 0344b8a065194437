"""Real nodes that agree on a birth, with nobody named: `--init consensus=N`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from weaveipam.protocol.values import Pool

MakeCluster = Callable[..., Any]
MakePool = Callable[..., Pool]


def expecting(made: Any, count: int, pools: tuple[Pool, ...], names: str = "") -> str:
    """Start so many daemons that know each other and expect so many; their names."""
    names = names or "abcdefg"[:count]
    for name in names:
        made.add(name, consensus=count, join=",".join(names), pools=pools)
    return names


def ids(made: Any) -> set[str]:
    """The clusters that those daemons which run belong to."""
    return {made.status(name).cluster_id for name, host in made.hosts.items() if host.node} - {""}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_as_many_as_expected_form_one_cluster(cluster: MakeCluster, make_pool: MakePool, count: int) -> None:
    """Daemons that all expect so many form one cluster, and each is a seed of it with a share."""
    made = cluster()
    names = expecting(made, count, (make_pool("blue", "10.0.0.0/24"),))
    made.run(3)

    assert [True] * count == [made.status(name).ready for name in names]
    assert 1 == len(ids(made))
    assert all(one.owned >= 256 // count - 16 for name in names for one in made.status(name).pools)
