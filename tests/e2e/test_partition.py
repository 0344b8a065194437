"""A partition of real daemons by the relay: both sides go on, and nothing is given twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from simulations.hosts.cluster import Cluster
from simulations.hosts.relay import Relay

pytestmark = pytest.mark.slow


def test_both_sides_allocate_and_converge(trio: Cluster, relay: Relay) -> None:
    """During a cut every daemon allocates, one beyond its own space; after the heal all agree again."""
    trio.wait_agreed()
    relay.cut("c")
    jobs = [("a", f"a{n}") for n in range(110)] + [("b", f"b{n}") for n in range(20)]
    jobs += [("c", f"c{n}") for n in range(40)]
    with ThreadPoolExecutor(8) as workers:
        answers = list(workers.map(lambda job: trio.runtimes[job[0]].add(job[1]), jobs))
    trio.daemons["a"].wait(lambda: trio.states("a")["c"] == "dead", "aware of the cut")
    trio.daemons["c"].wait(lambda: trio.states("c")["a"] == "dead", "aware of the cut")
    relay.heal("c")
    trio.wait_agreed()

    assert trio.ledger.duplicates == []
    assert len({address for answer in answers for address in answer}) == len(jobs)


def test_a_heal_carries_what_was_granted_during_the_cut(trio: Cluster, relay: Relay) -> None:
    """The side that was away learns of space that moved meanwhile, and the ring stays whole."""
    trio.wait_agreed()
    relay.cut("c")
    for n in range(100):
        trio.runtimes["a"].add(f"a{n}")
    during = trio.rings()
    relay.heal("c")
    trio.wait_agreed()
    after = trio.rings()

    assert during[0] != during[2]
    assert sum(run["size"] for run in after[2]) == 256


def test_three_cuts_in_a_row(trio: Cluster, relay: Relay) -> None:
    """Each daemon in turn is cut off while all allocate and delete; nothing is given twice, and all agree."""
    for name in trio.daemons:
        trio.wait_agreed()
        relay.cut(name)
        for n in range(10):
            for host, runtime in trio.runtimes.items():
                runtime.add(f"{host}-{name}-{n}")
        for host, runtime in trio.runtimes.items():
            runtime.delete(f"{host}-{name}-0")
        relay.heal(name)
    trio.wait_agreed()

    assert (trio.ledger.duplicates, len(trio.ledger.held())) == ([], 3 * 3 * 9)
