"""Which islands go, to whom and when; and that it ends."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, subtract
from ring.changes import coalesce, grant
from ring.merge import merge
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.drift import KEPT, PATIENCE, Island, Timer, heir_of, islands, surplus
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Stock
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.values import Birth, Pool, PoolRange, RingId

ME, YOU, SHE = Peer("me", 1), Peer("you", 1), Peer("she", 1)
PEERS = (ME, YOU, SHE)
SETTINGS = AllocationSettings(drift_s=10.0)


def ring_of(*stretches: tuple[Peer, int]) -> Ring:
    """A ring from 0 on of stretches: owner and size."""
    runs, at = [], 0
    for owner, size in stretches:
        runs.append(Run(at, at + size, Token(0, at), owner, owner))
        at += size
    return Ring.of(runs)


def stock_of(
    ring: Ring, peer: Peer, *, taken: tuple[int, ...] = (), excluded: tuple[Range, ...] = ()
) -> Stock:
    """What a peer has of a pool over the whole ring, with some addresses in use."""
    stock = Stock(tuple(subtract([Range(0, max(run.stop for run in ring))], excluded)), 5.0)
    for run in ring.owned_by(peer):
        stock.gain(Range(run.start, run.stop))
    for address in taken:
        stock.space.remove(Range(address, address + 1))
    return stock


def test_the_largest_islands_stay() -> None:
    """Of islands of 1, 4, 2 and 3 addresses those of 1 and 2 can go."""
    ring = ring_of((ME, 1), (YOU, 1), (ME, 4), (YOU, 1), (ME, 2), (YOU, 1), (ME, 3))

    assert surplus(ring, ME, [stock_of(ring, ME)], ()) == [Range(0, 1), Range(7, 9)]


def test_the_last_free_addresses_stay() -> None:
    """Who has only two islands gives none, however small they are."""
    ring = ring_of((ME, 1), (YOU, 9), (ME, 1))

    assert surplus(ring, ME, [stock_of(ring, ME)], ()) == []


def test_what_is_in_use_stays() -> None:
    """A stretch with an address that is in use, resting or contested is no island."""
    ring = ring_of((ME, 9), (YOU, 1), (ME, 9), (YOU, 1), (ME, 2), (YOU, 1), (ME, 2), (YOU, 1), (ME, 2))
    stock = stock_of(ring, ME, taken=(20, 24))
    stock.space.release(Range(24, 25), 0.0)

    assert surplus(ring, ME, [stock], (Range(27, 28),)) == []
    assert surplus(ring, ME, [stock], ()) == [Range(26, 28)]


def test_touching_runs_are_one_island() -> None:
    """An island is all between addresses of others, whatever its runs say of the past."""
    ring = ring_of((ME, 9), (YOU, 1), (ME, 9), (YOU, 1), (ME, 1), (ME, 2), (YOU, 1))

    assert surplus(ring, ME, [stock_of(ring, ME)], ()) == [Range(20, 23)]


def test_what_nobody_can_use_goes() -> None:
    """Addresses that are set aside travel with the free ones around them, and alone."""
    ring = ring_of((ME, 1), (YOU, 1), (ME, 4), (YOU, 1), (ME, 3), (YOU, 1), (ME, 3))
    aside = (Range(0, 1), Range(7, 8))

    assert surplus(ring, ME, [stock_of(ring, ME, excluded=aside)], ()) == [Range(0, 1), Range(7, 10)]


def test_islands_of_each_part_stay() -> None:
    """The only free addresses of one pool stay, though there are larger islands in another."""
    ring = ring_of((ME, 9), (YOU, 1), (ME, 9), (YOU, 1), (ME, 1), (YOU, 1), (ME, 2))
    blue, green = Stock((Range(0, 20), Range(21, 24)), 5.0), Stock((Range(20, 21),), 5.0)
    for stock in (blue, green):
        for run in ring.owned_by(ME):
            stock.gain(Range(run.start, run.stop))

    assert surplus(ring, ME, [blue, green], ()) == [Range(22, 24)]


@pytest.mark.parametrize("used", [False, True])
def test_islands_of_what_is_asked_for_by_its_address_go(*, used: bool) -> None:
    """Reserved addresses stay with nobody for their own sake, but for those in use."""
    ring = ring_of((ME, 9), (YOU, 1), (ME, 1), (YOU, 1), (ME, 2))
    common, asked_for = Stock((Range(0, 10), Range(11, 14)), 5.0), Stock((Range(10, 11),), 5.0)
    for stock in (common, asked_for):
        for run in ring.owned_by(ME):
            stock.gain(Range(run.start, run.stop))
    if used:
        asked_for.space.remove(Range(10, 11))

    assert surplus(ring, ME, [common], (), [asked_for]) == ([] if used else [Range(10, 11)])


@pytest.mark.parametrize(
    ("there", "heir"), [({YOU, SHE}, SHE), ({YOU}, YOU), (set(), None)], ids=["both", "one", "none"]
)
def test_the_larger_neighbour_inherits(there: set[Peer], heir: Peer | None) -> None:
    """An island goes to the larger of the runs beside it whose owner is there; else it stays."""
    ring = ring_of((YOU, 2), (ME, 2), (SHE, 3))

    assert heir_of(Range(2, 4), ring, there) == heir


def test_who_must_be_larger() -> None:
    """At first an island only goes where what is beside it is larger."""
    ring = ring_of((YOU, 2), (ME, 2), (SHE, 3))

    assert heir_of(Range(2, 4), ring, {YOU, SHE}, larger=True) == SHE
    assert heir_of(Range(2, 4), ring, {YOU}, larger=True) is None


def test_the_edges_of_a_ring_have_no_neighbour() -> None:
    """A range that one peer owns alone has no heir."""
    ring = Ring.of([Run(0, 4, Token(0, 0), ME, ME), Run(8, 12, Token(0, 0), YOU, YOU)])

    assert heir_of(Range(0, 4), ring, PEERS) is None
    assert heir_of(Range(8, 12), ring, PEERS) is None


def test_islands_of_holdings() -> None:
    """What a node holds is looked through ring by ring."""
    ring = RingId("default", Family.V4)
    what = PoolRange(Family.V4, Range(0, 12), 28)
    holdings = Holdings(ME, SETTINGS)
    holdings.adopt(Birth(bytes(16), (ME,), (Pool("blue", "default", (what,)),)))
    for start in (2, 5, 10):
        holdings.give_away(ring, Range(start, start + 1), YOU)

    assert islands(holdings, ME, {YOU}) == [Island(ring, Range(3, 5), YOU), Island(ring, Range(11, 12), YOU)]
    assert islands(holdings, ME, ()) == [Island(ring, Range(3, 5), None), Island(ring, Range(11, 12), None)]


def test_the_timer_waits_for_quiet_but_not_for_ever() -> None:
    """It runs while there may be islands, is put off by allocations, and is due in the end all the same."""
    timer = Timer(SETTINGS, Random(1))
    timer.put_off(5.0)
    assert timer.wake_at == math.inf
    timer.arm(100.0)
    assert timer.first
    assert 110.0 <= timer.wake_at <= 120.0
    timer.put_off(109.0)
    assert 119.0 <= timer.wake_at <= 129.0
    before = timer.wake_at
    timer.arm(110.0)
    assert timer.wake_at == before
    timer.put_off(195.0)
    assert timer.wake_at == 100.0 + PATIENCE * SETTINGS.drift_s
    timer.restart(200.0)
    assert not timer.first
    timer.stop()
    assert timer.wake_at == math.inf


stretches = st.lists(
    st.tuples(st.sampled_from(PEERS), st.integers(1, 5), st.booleans()), min_size=2, max_size=40
)


@pytest.mark.slow
@given(stretches, st.randoms(use_true_random=False))
def test_it_ends_with_a_small_ring(made: list[tuple[Peer, int, bool]], rng: Random) -> None:
    """Every grant leaves fewer runs; in the end none is due, and all that is left is kept or in use."""
    ring = ring_of(*((owner, size) for owner, size, _ in made))
    ends = accumulate(size for _, size, _ in made)
    used = tuple(end - 1 for end, (_, _, taken) in zip(ends, made, strict=True) if taken)
    whole = Range(0, max(run.stop for run in ring))
    stocks = {peer: stock_of(ring, peer, taken=used) for peer in PEERS}
    ring = tidied(ring, whole)
    while True:
        found = [
            (peer, what, heir)
            for peer in PEERS
            for what in surplus(ring, peer, [stocks[peer]], ())
            if (heir := heir_of(what, ring, [one for one in PEERS if one != peer])) is not None
        ]
        if not found:
            break
        owner, what, heir = rng.choice(found)
        before = len(ring)
        ring = tidied(merge(ring, grant(ring, what, owner, heir)).ring, whole)
        stocks[owner].lose(what)
        stocks[heir].gain(what)
        assert len(ring) < before
        assert stocks[owner].space.free_count > 0, "gave its last"

    assert len(ring) <= KEPT * len(PEERS) + len(used)


def tidied(ring: Ring, whole: Range) -> Ring:
    """The ring once all owners have joined their neighbouring runs."""
    for peer in PEERS:
        ring = merge(ring, coalesce(ring, peer, whole)).ring
    assert all(before.owner != after.owner for before, after in pairwise(ring))
    return ring
