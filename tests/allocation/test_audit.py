"""The audit of a node's own accounts."""

from __future__ import annotations

from ring.address import Family, Range
from ring.ring import EMPTY, Peer
from weaveipam.allocation.audit import audit
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.lending import lend
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.records import Lent
from weaveipam.protocol.values import Allocation, Birth, Loan, Pool, PoolRange, RingId

ME, OTHER = Peer("me", 1), Peer("other", 1)
V4 = RingId("default", Family.V4)
POOLS = tuple(
    Pool(
        name,
        "default",
        (PoolRange(Family.V4, Range(start, start + 32), 27, None, (Range(start, start + 1),)),),
    )
    for name, start in (("blue", 0), ("green", 32))
)
BIRTH = Birth(bytes(16), (ME, OTHER), POOLS)


def made() -> Holdings:
    """Half of two pools that touch, an address in use, one lent."""
    holdings = Holdings(ME, AllocationSettings())
    holdings.adopt(BIRTH)
    what = Leasing(holdings).take(Part("blue", V4), 1, (), cooling=False)
    assert what is not None
    one = holdings.pools.assigned(V4, what.range)
    Leasing(holdings).lease(Allocation("k", "default", (one,), durable=False))
    lend(holdings, [Lent(Loan(V4, Range(5, 6), "l"), OTHER)])
    return holdings


def test_nothing_is_wrong_with_what_is_right() -> None:
    """Leases, loans, and a run over two pools add up."""
    assert audit(made(), ME, {ME, OTHER}) == []


def test_owners_that_are_not_there_are_named() -> None:
    """Whoever owns something and is not there is one problem, unless nobody can know yet."""
    (problem,) = audit(made(), ME, {ME})

    assert problem.kind == "owner-away"
    assert "32 addresses are owned by other#" in problem.detail
    assert audit(made(), ME, None) == []


def test_accounts_that_do_not_add_up_are_found() -> None:
    """An address that is free and lent at once, and a lease that nobody counts, are seen."""
    holdings = made()
    holdings.pools.stocks[Part("blue", V4)].space.add(Range(5, 6))
    holdings.pools.stocks[Part("green", V4)].used += 1

    assert ["accounts-wrong", "accounts-wrong"] == [one.kind for one in audit(holdings, ME, None)]


def test_a_ring_with_a_gap_is_found() -> None:
    """Addresses that nobody owns are a problem of the ring."""
    holdings = made()
    holdings.rings._rings[V4] = EMPTY

    assert "ring-unsound" in {one.kind for one in audit(holdings, ME, None)}
