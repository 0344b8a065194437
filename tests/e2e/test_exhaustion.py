"""A pool handed out to its last address by three real daemons."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulations.hosts.cluster import Cluster
from simulations.hosts.conflist import PluginError

pytestmark = pytest.mark.slow

EXHAUSTED = r"(?i)exhausted|no free address"
USABLE = 30
"""Of 10.32.0.0/27: 32 addresses, without the network's and the broadcast address."""


@pytest.fixture
def small(build_cluster: Callable[..., Cluster]) -> Cluster:
    """Three daemons with 30 addresses between them."""
    return build_cluster("a", "b", "c", pool="10.32.0.0/27")


def test_every_usable_address_can_be_had_through_one_daemon(small: Cluster) -> None:
    """One daemon hands out the whole pool, two thirds of it others'; the next ADD is refused as exhausted."""
    small.wait_agreed()
    for n in range(USABLE):
        small.runtimes["b"].add(f"c{n}")

    expected = {f"10.32.0.{n}" for n in range(1, 31)}
    assert expected == {address for got in small.ledger.held().values() for address in got}
    with pytest.raises(PluginError, match=EXHAUSTED):
        small.runtimes["b"].add("one-more")


def test_every_usable_address_can_be_had_at_once_through_all(small: Cluster) -> None:
    """ADDs at once on all daemons get the whole pool between them; then each daemon refuses."""
    small.wait_agreed()
    jobs = [("abc"[n % 3], f"c{n}") for n in range(USABLE)]
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda job: small.runtimes[job[0]].add(job[1]), jobs))

    assert (small.ledger.duplicates, small.ledger.answers_count) == ([], USABLE)
    for runtime in small.runtimes.values():
        with pytest.raises(PluginError, match=EXHAUSTED):
            runtime.add("one-more")


def test_an_address_given_back_can_be_had_elsewhere(small: Cluster) -> None:
    """From a full pool the address that one daemon's container gives back goes to another daemon's."""
    small.wait_agreed()
    for n in range(USABLE):
        small.runtimes["abc"[n % 3]].add(f"c{n}")
    freed = small.ledger.held()["c0"]
    small.runtimes["a"].delete("c0")

    assert small.runtimes["c"].add("late") == freed
