"""Keeping addresses for those who hold them at other peers."""

from __future__ import annotations

import pytest

from ring.address import Family, Range
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.lending import forget_holder, is_held, lend, take_back
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Lent, Resting
from weaveipam.protocol.values import Birth, Loan, Pool, PoolRange, RingId

ME, OTHER, HOLDER = Peer("me", 1), Peer("other", 1), Peer("holder", 2)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
BIRTH = Birth(
    bytes(16), (ME,), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 32), 27, None, ()),)),)
)
LENT = Lent(Loan(V4, Range(6, 8), "k"), HOLDER)


@pytest.fixture
def holdings() -> Holdings:
    """All of a pool, and nothing of it is in use."""
    made = Holdings(ME, AllocationSettings(cooldown_s=10.0))
    made.adopt(BIRTH)
    return made


def test_what_is_lent_is_held_and_not_free(holdings: Holdings) -> None:
    """An address that is kept for a key elsewhere is given to nobody, durably."""
    persist = lend(holdings, [LENT])

    assert persist == Persist((LENT,), (), Durability.HOST)
    assert [is_held(holdings, V4, at) for at in (5, 6, 7, 8)] == [False, True, True, False]
    assert holdings.pools.stocks[BLUE].space.free_within(Range(5, 9)) == 2


def test_a_part_of_what_rests_is_lent(holdings: Holdings) -> None:
    """What is lent of a resting range rests no more; the disk remembers that the others do."""
    holdings.let_rest(V4, Range(4, 8), 0.0)
    assert holdings.note_rests() is not None
    persist = lend(holdings, [LENT])

    assert persist.put == (LENT, Resting(V4, Range(4, 6)))
    assert persist.durability is Durability.HOST


def test_what_is_taken_back_rests_first(holdings: Holdings) -> None:
    """Nobody gets at once what a key at another peer has held until now."""
    lend(holdings, [LENT])
    ended = Persist((Resting(V4, LENT.loan.range),), (LENT.record_key,), Durability.HOST)

    assert take_back(holdings, [LENT], 1.0) == [ended]
    assert take_back(holdings, [], 1.0) == []
    assert holdings.pools.stocks[BLUE].space.cooling_ranges() == (LENT.loan.range,)


def test_what_a_removed_life_held_or_claimed_rests(holdings: Holdings) -> None:
    """A decision that a life is over ends its loans and contests, but none of other lives that come after."""
    clash = Ring.of([Run(12, 14, Token(0, 0), HOLDER, HOLDER)])
    holdings.merge(V4, clash)
    lend(holdings, [LENT])
    for other in (OTHER, Peer(HOLDER.name, 1)):
        assert forget_holder(holdings, other, 1.0) == []
    assert (len(holdings.contests), len(holdings.loans)) == (1, 1)
    steps = forget_holder(holdings, HOLDER, 1.0)

    assert (len(holdings.contests), len(holdings.loans)) == (0, 0)
    assert [type(one) for one in steps] == [Persist, Persist]
    assert LENT.loan.range in holdings.pools.stocks[BLUE].space.cooling_ranges()
