"""Who gets what of a daemon that leaves."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ring.address import Family, Range, subtract, union
from ring.ring import Peer, Ring, Run, Token
from weaveipam.allocation.bequests import forget_departing, note_departing
from weaveipam.allocation.donors import Neighbour
from weaveipam.allocation.handover import HEIRS_MAX, Bundle, movable, plan
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.leasing import Leasing
from weaveipam.allocation.pools import Part
from weaveipam.allocation.settings import AllocationSettings
from weaveipam.protocol.messages import FreeHint
from weaveipam.protocol.records import Departing
from weaveipam.protocol.values import Allocation, Assigned, Birth, MemberState, Pool, PoolRange, RingId

V4, V6 = RingId("default", Family.V4), RingId("default", Family.V6)
ME = Peer("me", 1)
OTHERS = tuple(Peer(name, 1) for name in "abcd")
SIZE = 256


class Hints:
    """Neighbours of which only the hints are known."""

    def __init__(self, hints: dict[Peer, int]) -> None:
        self._hints = hints

    def alive(self) -> Sequence[Neighbour]:
        """Nobody."""
        return ()

    def get(self, name: str) -> None:
        """Nobody."""

    def state_of(self, peer: Peer) -> MemberState | None:
        """Nothing."""

    def hints_of(self, peer: Peer) -> tuple[FreeHint, ...]:
        """As a test says."""
        return (FreeHint("blue", Family.V4, self._hints.get(peer, 0)),)


def holding(*owners: Peer, size: int = SIZE, families: tuple[Family, ...] = (Family.V4,)) -> Holdings:
    """What `ME` has when the rings are divided evenly among these, in order."""
    ranges = tuple(PoolRange(family, Range(0, size), 24) for family in families)
    holdings = Holdings(ME, AllocationSettings())
    holdings.adopt(Birth(bytes(16), (Peer("nobody", 1),), (Pool("blue", "default", ranges),)))
    step = size // len(owners)
    for family in families:
        ring = RingId("default", family)
        runs = [Run(n * step, (n + 1) * step, Token(0, 1 + n), one, one) for n, one in enumerate(owners)]
        holdings.merge(ring, Ring.of(runs))
    return holdings


def lease(holdings: Holdings, key: str, *places: tuple[RingId, Range]) -> None:
    """Give a key these addresses."""
    for ring, what in places:
        taken = Leasing(holdings).take(Part("blue", ring), what.size, [what], cooling=False)
        assert taken is not None
        assert taken.range == what
    addresses = tuple(Assigned("blue", ring.family, what, 24, None) for ring, what in places)
    Leasing(holdings).lease(Allocation(key, "default", addresses, durable=True))


def planned(
    holdings: Holdings, heirs: Sequence[Peer] = OTHERS, hints: dict[Peer, int] | None = None
) -> list[Bundle]:
    """All that is planned."""
    return plan(holdings, ME, heirs, Hints(hints or {}), 1000)


def test_a_fair_share_is_halved_between_those_beside_it() -> None:
    """What lies between two owners goes half to each, and no border is made."""
    a, b = OTHERS[:2]
    bundles = planned(holding(a, ME, b, OTHERS[2]))

    assert [(one.heir, one.parts) for one in bundles] == [
        (a, ((V4, Range(64, 96)),)),
        (b, ((V4, Range(96, 128)),)),
    ]


def test_much_goes_to_several() -> None:
    """Who owns nearly everything gives to all, and most to nobody."""
    bundles = planned(holding(ME))

    assert {one.heir for one in bundles} == set(OTHERS)
    assert max(one.parts[0][1].size for one in bundles) <= SIZE // 2


def test_the_poorest_comes_first() -> None:
    """With nobody there beside it a small stretch goes to who has the least free."""
    away = Peer("away", 1)
    hints = dict.fromkeys(OTHERS, 9) | {OTHERS[2]: 1}

    (only,) = planned(holding(away, away, away, ME, away, away, away, away), hints=hints)
    assert only.heir == OTHERS[2]


def test_what_one_key_holds_goes_to_one_heir() -> None:
    """Stretches of two rings that one key holds something of are one bundle; others are not."""
    holdings = holding(OTHERS[0], ME, OTHERS[1], ME, families=(Family.V4, Family.V6))
    lease(holdings, "both", (V4, Range(70, 71)), (V6, Range(200, 201)))
    tied = [one for one in planned(holdings) if len(one.parts) > 1]

    assert [one.parts for one in tied] == [((V4, Range(64, 128)), (V6, Range(192, 256)))]


def test_nobody_takes_nothing() -> None:
    """Without heirs nothing is planned."""
    assert planned(holding(ME), ()) == []


def test_what_is_awaited_stays() -> None:
    """What is this node's only by the word of one who leaves cannot be given yet."""
    holdings = holding(OTHERS[0], ME)
    leaver = OTHERS[0]
    (persist, *_) = note_departing(holdings, ME, leaver, 7)
    assert Departing(leaver, 7) in persist.put  # type: ignore[union-attr]  # it is a Persist
    holdings.merge(V4, Ring.of([Run(0, 64, Token(0, 9), ME, leaver)]))

    assert holdings.awaited(holdings.rings[V4]) == [Range(0, 64)]
    assert movable(holdings, ME) == [(V4, Range(128, 256))]
    assert sum(stock.owned for stock in holdings.pools.stocks.values()) == 128


def test_who_was_removed_is_awaited_no_more() -> None:
    """When a leaver is gone for good what was awaited of it is free, and stated by this node itself."""
    leaver = OTHERS[0]
    holdings = holding(leaver, ME)
    note_departing(holdings, ME, leaver, 7)
    holdings.merge(V4, Ring.of([Run(0, 64, Token(0, 9), ME, leaver)]))
    (persist, *_) = forget_departing(holdings, ME, leaver, 1.0)

    assert Departing(leaver, 7).record_key in persist.delete  # type: ignore[union-attr]  # it is a Persist
    assert not holdings.departing
    assert {run.author for run in holdings.rings[V4].owned_by(ME)} == {ME}
    assert sum(stock.space.free_count for stock in holdings.pools.stocks.values()) == 192


@given(
    st.lists(st.sampled_from([ME, *OTHERS]), min_size=1, max_size=16).map(tuple),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 31)), max_size=6),
    st.integers(1, 4),
)
def test_all_goes_and_nothing_is_torn(
    owners: tuple[Peer, ...], blocks: list[tuple[int, int]], count: int
) -> None:
    """Whatever is owned and held: all of it is planned, once, and each block wholly in one bundle."""
    holdings = holding(*owners)
    mine = union(Range(run.start, run.stop) for run in holdings.rings[V4].owned_by(ME))
    held: list[Range] = []
    for bits, place in blocks:
        what = Range(place << bits, (place + 1) << bits)
        free = what.stop <= SIZE and not subtract([what], mine) and not any(one.meet(what) for one in held)
        if free:
            lease(holdings, f"k{len(held)}", (V4, what))
            held.append(what)
    bundles = planned(holdings, OTHERS[:count])

    parts = sorted(what for one in bundles for ring, what in one.parts)
    assert union(parts) == mine
    assert sum(one.size for one in parts) == sum(one.size for one in mine)
    assert all(any(part.meet(one) == one for part in parts) for one in held)
    assert {one.heir for one in bundles} <= set(OTHERS[:count])
    assert len(bundles) <= HEIRS_MAX * len(mine)
