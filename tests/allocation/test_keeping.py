"""What is kept is nobody's meanwhile, and put back it is free only where nothing else is known of it."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.changes import grant
from ring.ring import Peer, Ring
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.keeping import Keeper
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.lending import lend
from weaveipam.allocation.pools import Part, Stock
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.records import Lent
from weaveipam.protocol.values import Allocation, Birth, Loan, Pool, PoolRange, RingId

ME, YOU = Peer("me", 1), Peer("you", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
POOLS = (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 64), 26),)),)
"""The first 32 addresses are mine, the others yours."""
KEPT = Range(0, 16)


@pytest.fixture
def holdings() -> Holdings:
    """What I have."""
    made = Holdings(ME, AllocationSettings())
    made.adopt(Birth(bytes(16), (ME, YOU), POOLS))
    return made


@pytest.fixture
def keeper(holdings: Holdings) -> Keeper:
    """Who keeps the first 16 addresses."""
    made = Keeper(ME, holdings)
    assert made.keep(BLUE, KEPT)
    return made


def stock(holdings: Holdings) -> Stock:
    """Of the pool."""
    return holdings.pools.stocks[BLUE]


def lease(holdings: Holdings, key: str) -> Range:
    """Give some address to a key."""
    what = Leasing(holdings).take(BLUE, 1, (), cooling=False)
    assert what is not None
    assigned = holdings.pools.assigned(V4, what.range)
    Leasing(holdings).lease(Allocation(key, "default", (assigned,), durable=False))
    return what.range


def test_what_is_kept_counts_as_used(holdings: Holdings, keeper: Keeper) -> None:
    """It is neither free nor to be kept twice, and once put back it is as it was."""
    assert not keeper.keep(BLUE, Range(12, 20))
    assert (stock(holdings).space.free_count, stock(holdings).used) == (16, 16)
    keeper.put_back(BLUE, KEPT)

    assert (stock(holdings).space.free_count, stock(holdings).used) == (32, 0)
    assert keeper.keep(BLUE, Range(12, 20))


def test_only_what_is_free_in_whole_is_kept(holdings: Holdings) -> None:
    """Another's addresses, and those in use, are not."""
    used = lease(holdings, "pod").start
    keeper = Keeper(ME, holdings)

    assert not keeper.keep(BLUE, Range(24, 40))
    assert not keeper.keep(BLUE, Range(used, used + 4))
    assert stock(holdings).space.free_count == 31


def test_what_was_lost_is_not_put_back(holdings: Holdings, keeper: Keeper) -> None:
    """What is another's by now is not free here."""
    holdings.merge(V4, grant(holdings.rings[V4], Range(0, 4), ME, YOU))
    keeper.put_back(BLUE, KEPT)

    assert (stock(holdings).space.free_count, stock(holdings).owned, stock(holdings).used) == (28, 28, 0)


def test_what_was_lost_and_gained_again_is_put_back_as_it_is(holdings: Holdings, keeper: Keeper) -> None:
    """What came back may be in use, or rest: being put back does not free it, nor is it kept twice."""
    holdings.merge(V4, grant(holdings.rings[V4], KEPT, ME, YOU))
    holdings.give_away(V4, Range(16, 32), YOU)
    holdings.merge(V4, grant(holdings.rings[V4], KEPT, YOU, ME))
    assert not keeper.keep(BLUE, Range(8, 12))
    one, other = lease(holdings, "pod"), lease(holdings, "other")
    assert KEPT.covers(one)
    (held,) = (each for each in holdings.leases if each.key == "other")
    Leasing(holdings).give_back([held], 1.0)
    keeper.put_back(BLUE, KEPT)

    assert stock(holdings).space.free_count == 14
    assert not any(stock(holdings).space.free_within(each) for each in (one, other))
    assert stock(holdings).used == 1


def test_what_is_withheld_meanwhile_is_not_put_back(holdings: Holdings, keeper: Keeper) -> None:
    """What a key at another peer turns out to hold, or two peers to own, is not free, nor to be given."""
    lend(holdings, [Lent(Loan(V4, Range(2, 4), "pod"), YOU)])
    (mine,) = holdings.rings[V4].within(Range(8, 9))
    twin = mine._replace(stop=10, owner=YOU, author=YOU)
    holdings.merge(V4, Ring.of([twin]))
    assert keeper.own(V4, [KEPT]) == (Range(0, 2), Range(4, 8), Range(10, 16))
    keeper.put_back(BLUE, KEPT)

    assert (stock(holdings).space.free_count, stock(holdings).used) == (28, 0)


def test_other_pools_count_all_anew(holdings: Holdings, keeper: Keeper) -> None:
    """After a change of pools what was kept is free, but for what nobody is given any more."""
    holdings.set_pools(POOLS, (Span(V4, (Range(8, 12),)),), 1.0)
    keeper.forget()

    assert (stock(holdings).space.free_count, stock(holdings).used) == (28, 0)
    assert not keeper.keep(BLUE, KEPT)
    assert keeper.keep(BLUE, Range(0, 8))
    keeper.put_back(BLUE, Range(0, 8))
    assert (stock(holdings).space.free_count, stock(holdings).used) == (28, 0)


def test_own_is_what_may_be_given(keeper: Keeper) -> None:
    """Of any ranges that which this node has."""
    assert keeper.own(V4, [Range(4, 8), Range(30, 40)]) == (Range(4, 8), Range(30, 32))
