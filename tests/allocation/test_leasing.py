"""Giving addresses to keys, and taking them back."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.pools import Part, Stock
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Leased, Resting
from weaveipam.protocol.values import Allocation, Birth, Pool, PoolRange, RingId

ME = Peer("me", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
BIRTH = Birth(
    bytes(16), (ME,), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 8), 29, None, ()),)),)
)


@pytest.fixture
def holdings() -> Holdings:
    """All of a small pool."""
    made = Holdings(ME, AllocationSettings(cooldown_s=10.0))
    made.adopt(BIRTH)
    return made


def lease(
    holdings: Holdings, key: str, size: int = 1, *, durable: bool = False
) -> tuple[Allocation, Persist]:
    """The next addresses go to a key, resting ones if there are no others."""
    leasing = Leasing(holdings)
    taken = leasing.take(BLUE, size, (), cooling=True)
    assert taken is not None
    allocation = Allocation(key, "default", (holdings.pools.assigned(V4, taken.range),), durable)
    return allocation, leasing.lease(allocation)


def counts(stock: Stock) -> tuple[int, int, int]:
    """How many addresses are free, rest, and are in use."""
    return stock.space.free_count, stock.space.cooling_count, stock.used


def test_what_is_durable_reaches_stable_storage(holdings: Holdings) -> None:
    """A durable lease, and its release, survive the host; a pod's lease only the process."""
    found: list[Durability] = []
    for durable in (False, True):
        allocation, persist = lease(holdings, "k", durable=durable)
        (step,) = Leasing(holdings).give_back([allocation], 0.0)
        assert isinstance(step, Persist)
        found += [persist.durability, step.durability]

    process, host = Durability.PROCESS, Durability.HOST
    assert [process, process, host, host] == found


def test_a_lease_becomes_durable(holdings: Holdings) -> None:
    """The same key holds the same addresses, on stable storage."""
    pod, _ = lease(holdings, "k")
    durable, persist = Leasing(holdings).renew(pod, 0.0, durable=True, ttl_s=None)

    assert durable.addresses == pod.addresses
    assert list(holdings.leases) == [durable]
    assert persist == Persist((Leased(durable),), (), Durability.HOST)


def test_what_was_taken_and_put_back_is_free(holdings: Holdings) -> None:
    """A key that could not have all that it wants leaves no trace."""
    taken = Leasing(holdings).take(BLUE, 4, (), cooling=True)
    assert taken is not None
    Leasing(holdings).put_back(taken)

    assert counts(holdings.pools.stocks[BLUE]) == (8, 0, 0)


def test_what_rested_and_was_put_back_rests_on(holdings: Holdings) -> None:
    """Resting addresses that were taken for nothing rest as long as they would have, and as one range."""
    block, _ = lease(holdings, "block", 8)
    Leasing(holdings).give_back([block], 1.0)
    for at in (4, 0, 2):
        taken = Leasing(holdings).take(BLUE, 2, [Range(at, at + 2)], cooling=True)
        assert taken is not None
        assert counts(holdings.pools.stocks[BLUE]) == (0, 6, 2)
        Leasing(holdings).put_back(taken)

    assert counts(holdings.pools.stocks[BLUE]) == (0, 8, 0)
    assert holdings.pools.stocks[BLUE].space.cooling_ranges() == (Range(0, 8),)
    assert holdings.thaw_at == 11.0
    assert holdings.note_rests() is None


def test_of_a_block_that_rests_only_what_is_leased_rests_no_more(holdings: Holdings) -> None:
    """With a lease of resting addresses the disk is told what of them still rests."""
    block, _ = lease(holdings, "block", 8)
    given = Leasing(holdings).give_back([block], 1.0)
    assert given == [Persist((Resting(V4, Range(0, 8)),), (Leased(block).record_key,), Durability.PROCESS)]
    part, persist = lease(holdings, "part", 4)

    assert counts(holdings.pools.stocks[BLUE]) == (0, 4, 4)
    # The record of what is left from the fifth address on is a new one, and that of all the block is gone.
    assert persist.put == (Leased(part), Resting(V4, Range(4, 8)))
    assert persist.delete == (Resting(V4, Range(0, 8)).record_key,)


def test_giving_back_nothing_writes_nothing(holdings: Holdings) -> None:
    """Where no key holds anything there is nothing to remember."""
    assert Leasing(holdings).give_back([], 0.0) == []
