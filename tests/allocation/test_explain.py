"""The sentences that say why a request came to nothing."""

from __future__ import annotations

from dataclasses import replace

from ring.address import Family, Range
from ring.changes import grant
from ring.ring import Peer
from weaveipam.allocation.donors import Goal, Search
from weaveipam.allocation.explain import why_late, why_none
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.orders import Line
from weaveipam.allocation.pending import Waiting
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import Need
from weaveipam.protocol.requests import Allocate, Reason
from weaveipam.protocol.values import Birth, Pool, PoolRange, RingId

ME, OTHER = Peer("me", 1), Peer("other", 1)
V4 = RingId("default", Family.V4)
BLUE = Part("blue", V4)
BIRTH = Birth(bytes(16), (ME, OTHER), (Pool("blue", "default", (PoolRange(Family.V4, Range(0, 64), 26),)),))


def holdings() -> Holdings:
    """Half of a /26."""
    made = Holdings(ME, AllocationSettings())
    made.adopt(BIRTH)
    return made


def waiting(*, taken: Goal | None = None) -> Waiting:
    """A request; perhaps an owner has said that what it wants is in use."""
    one = Waiting(1, Allocate("k", wait_s=3.0), 3.0)
    if taken is not None:
        one.failed[taken] = Search(taken, Need.FREE, taken=True)
    return one


def test_exhausted_counts_what_is_here_and_what_cannot_be_reached() -> None:
    """The sentence has the free and all addresses, and how many an unreachable owner has."""
    line = Line(V4, (BLUE,), (), 1)
    reason, detail = why_none(holdings(), line, waiting(), {ME})

    assert Reason.EXHAUSTED is reason
    assert "32 of 64 free here" in detail
    assert detail.endswith("; 32 are out of reach, at other (32)")


def test_exhausted_with_all_reachable_says_what_would_help() -> None:
    """When everybody has answered, only releasing or a new pool helps."""
    line = Line(V4, (BLUE,), (), 16)
    _, detail = why_none(holdings(), line, waiting(), {ME, OTHER})

    assert "no free block of 16 addresses" in detail
    assert detail.endswith("release some, or add a pool")


def test_the_largest_shares_out_of_reach_are_named() -> None:
    """Those who have most come first, and after a few names the others are counted."""
    many = tuple(Peer(f"n{i}", 1) for i in range(7))
    birth = replace(BIRTH, seeds=(ME, *many))
    made = Holdings(ME, AllocationSettings())
    made.adopt(birth)
    made.merge(V4, grant(made.rings[V4], Range(0, 4), ME, many[6]))
    _, detail = why_none(made, Line(V4, (BLUE,), (), 1), waiting(), {ME})

    assert detail.endswith("; 60 are out of reach, at n6 (12), n0 (8), n1 (8), n2 (8), n3 (8) and 2 more")


def test_a_block_is_refused_with_how_near_it_came() -> None:
    """The sentence has the largest block here, and the one of several owners of which most was free."""
    line = Line(V4, (BLUE,), (), 64)
    one = waiting()
    goal = Goal(BLUE, (), 64)
    one.failed[goal] = Search(goal, Need.COOLING, near=(Range(0, 64), 40))
    _, detail = why_none(holdings(), line, one, {ME, OTHER})

    assert "(at most 32 in one block)" in detail
    assert "of 0.0.0.0/26, which several own, 40 of 64 could be had" in detail


def test_in_use_says_where() -> None:
    """A particular address that its owner has given away is in use there."""
    line = Line(V4, (BLUE,), (Range(40, 41),), 1)
    found = why_none(holdings(), line, waiting(taken=Goal(BLUE, line.within, 1)), {ME, OTHER})

    assert (Reason.IN_USE, "0.0.0.40 is in use at other") == found


def test_a_particular_address_of_an_unreachable_owner_is_not_ours() -> None:
    """Who has the address is named, instead of calling the pool exhausted."""
    line = Line(V4, (BLUE,), (Range(40, 41),), 1)
    found = why_none(holdings(), line, waiting(), {ME})

    assert (Reason.NOT_OWNER, "0.0.0.40 is owned by other, which is unreachable") == found


def test_late_says_whether_this_daemon_or_its_peers_are() -> None:
    """Before serving it is this daemon's fault, afterwards the donors'."""
    assert "not ready" in why_late(waiting(), None, ready=False)
    assert "within 3 s; try" in why_late(waiting(), None, ready=True)


def test_late_names_who_has_not_answered() -> None:
    """Those that were asked in vain, in this search and in others that the request waited for."""
    goal = Goal(BLUE, (), 1)
    one = waiting()
    one.failed[goal] = Search(goal, Need.FREE, silent=[OTHER])
    search = Search(goal, Need.FREE, tries={Peer("third", 1): 1})

    assert "no answer from other, third; try again" in why_late(one, search, ready=True)
