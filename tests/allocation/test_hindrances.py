"""What keeps a daemon from leaving, as an operator is told."""

from __future__ import annotations

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run
from weaveipam.allocation.hindrances import SHOWN_MAX, Hindrances
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.values import Allocation, Assigned, Birth, Pool, PoolRange, RingId

RING = RingId("default", Family.V4)
ME, OTHER = Peer("me", 1), Peer("other", 1)
POOL = Pool("blue", "default", (PoolRange(Family.V4, Range(0, 64), 26),))


class Desk:
    """A node that owns half of a pool, and what hinders it."""

    def __init__(self) -> None:
        self.holdings = Holdings(ME, AllocationSettings())
        self.holdings.adopt(Birth(bytes(16), (ME, OTHER), (POOL,)))
        self.it = Hindrances(ME, self.holdings)
        ((_, self.mine),) = self.it.owned()

    def lease(self, key: str, address: int, *, durable: bool) -> None:
        """A key here holds an address."""
        assigned = Assigned("blue", Family.V4, Range(address, address + 1), 26, None)
        self.holdings.keep(Allocation(key, "default", (assigned,), durable))


def test_a_node_that_keeps_nothing_for_anybody_can_leave() -> None:
    """Nothing is in the way of one that owns some addresses, of which only durable allocations are in use."""
    desk = Desk()
    desk.lease("claim", desk.mine.start, durable=True)

    assert ["", "", ""] == [desk.it.to_begin(), desk.it.to_give(), desk.it.to_end()]
    assert [] == desk.it.obstacles()


def test_pods_are_in_the_way_of_the_beginning() -> None:
    """They are named with their addresses, as many as a sentence can hold."""
    desk = Desk()
    for number in range(SHOWN_MAX + 2):
        desk.lease(f"pod{number}", desk.mine.start + number, durable=False)

    assert "would be lost: pod" in desk.it.to_begin()
    assert " and 2 more; drain this node first" in desk.it.to_begin()
    assert SHOWN_MAX + 2 == len(desk.it.obstacles())


def test_addresses_of_others_are_in_the_way() -> None:
    """A key that holds one has to be released, durable or not, at any time."""
    desk = Desk()
    theirs = next(run.start for run in desk.holdings.rings[RING] if run.owner == OTHER)
    desk.lease("claim", theirs, durable=True)

    for why in (desk.it.to_begin(), desk.it.to_give(), desk.it.to_end()):
        assert "another daemon's now: claim (" in why


def test_addresses_with_two_owners_are_in_the_way() -> None:
    """They have to be resolved first."""
    desk = Desk()
    token = next(run.token for run in desk.holdings.rings[RING] if run.owner == ME)
    desk.holdings.merge(RING, Ring.of([Run(desk.mine.start, desk.mine.start + 4, token, OTHER, OTHER)]))

    assert desk.it.to_begin().endswith("is claimed by another daemon too: resolve that first")
    assert desk.it.to_give() == desk.it.to_end() != ""
