"""
Who gets what of a daemon that leaves: as few new borders as can be, and not all to one.

A stretch goes to those who own what lies beside it, who can join it to that.  One that is larger than what a
member has on average is divided, and what lies in the middle goes to those who have the least free.
Stretches that one key holds something of go to one heir together, undivided: what a key holds is never torn.

Does not know how anything is given, nor why.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ring.address import Range, meeting, subtract, union
from ring.changes import divide
from ring.ring import Peer
from weaveipam.allocation.donors import Neighbours
from weaveipam.allocation.drift import heir_of
from weaveipam.allocation.holdings import Holdings
from weaveipam.protocol.values import Allocation, RingId

HEIRS_MAX = 8
"""Of one stretch: with more of them the ring would fall into pieces for no use."""


class Bundle(NamedTuple):
    """What goes to one heir at once."""

    heir: Peer
    parts: tuple[tuple[RingId, Range], ...]
    """Sorted."""


def movable(holdings: Holdings, me: Peer) -> list[tuple[RingId, Range]]:
    """
    The stretches that a node owns and may give away with all that is in them; sorted.

    Left out are those of which something is contested, awaited, about to belong to no pool, or neither free
    nor resting nor lent nor held by a key here.
    """
    found: list[tuple[RingId, Range]] = []
    for ring in holdings.pools.rings():
        runs = tuple(holdings.rings[ring].owned_by(me))
        pinned = union(
            (*holdings.awaited(runs), *holdings.contests.ranges(ring), *holdings.rests.vacated(ring))
        )
        owned = union(Range(run.start, run.stop) for run in runs)
        held = _held(holdings.leases, ring)
        found += [(ring, one) for one in subtract(owned, pinned) if _is_known(holdings, ring, one, held)]
    return found


def plan(
    holdings: Holdings, me: Peer, heirs: Sequence[Peer], neighbours: Neighbours, most: int
) -> list[Bundle]:
    """
    What to give to whom next.

    Args:
        holdings: What there is.
        me: Who gives.
        heirs: Who would take it, sorted.
        neighbours: They tell how much is free at each.
        most: So many bundles, or a few more, as a stretch is divided at once.
    """
    if not heirs:
        return []
    stretches = movable(holdings, me)
    loads = _Loads(heirs, neighbours)
    bundles: list[Bundle] = []
    for group in _groups(stretches, holdings.leases):
        if len(bundles) >= most:
            break
        if group.whole:
            ring, largest = max(group.stretches, key=lambda one: one[1].size)
            heir = heir_of(largest, holdings.rings[ring], frozenset(heirs)) or loads.least(ring)
            fresh = [Bundle(heir, tuple(group.stretches))]
        else:
            ((ring, what),) = group.stretches
            fresh = _divided(holdings, ring, what, group.leases, loads)
        for bundle in fresh:
            loads.add(bundle)
        bundles += fresh
    return bundles


class _Loads:
    """About how much each heir has to give already."""

    def __init__(self, heirs: Sequence[Peer], neighbours: Neighbours) -> None:
        self.heirs = heirs
        self._hints = {
            one: [(hint.family, (1 << hint.bucket) >> 1) for hint in neighbours.hints_of(one)]
            for one in heirs
        }
        self._given: dict[tuple[Peer, RingId], int] = {}

    def of(self, heir: Peer, ring: RingId) -> int:
        hinted = sum(size for family, size in self._hints[heir] if family is ring.family)
        return hinted + self._given.get((heir, ring), 0)

    def least(self, ring: RingId) -> Peer:
        """Who has the least; of equals the first by name."""
        return min(self.heirs, key=lambda one: (self.of(one, ring), one))

    def ordered(self, ring: RingId) -> list[Peer]:
        """Those with the least first."""
        return sorted(self.heirs, key=lambda one: (self.of(one, ring), one))

    def add(self, bundle: Bundle) -> None:
        """Remember what an heir is to get."""
        for ring, what in bundle.parts:
            self._given[bundle.heir, ring] = self._given.get((bundle.heir, ring), 0) + what.size


def _divided(
    holdings: Holdings, ring: RingId, what: Range, leases: Sequence[Allocation], loads: _Loads
) -> list[Bundle]:
    """One stretch among the owners beside it and, if it is large, some of those with the least."""
    held = holdings.rings[ring]
    fair = max(1, sum(one.size for one in holdings.pools.domain(ring)) // (1 + len(loads.heirs)))
    count = max(1, min(HEIRS_MAX, len(loads.heirs), 2 * what.size // fair))
    if count == 1:
        heir = heir_of(what, held, frozenset(loads.heirs)) or loads.least(ring)
        return [Bundle(heir, ((ring, what),))]
    beside = (held.at(what.start - 1) if what.start else None, held.at(what.stop))
    before, behind = ([run.owner] if run and run.owner in loads.heirs else [] for run in beside)
    behind = [one for one in behind if one not in before]
    others = [one for one in loads.ordered(ring) if one not in (*before, *behind)]
    heirs = [*before, *others[: count - len(before) - len(behind)], *behind]
    blocks = [each.range for one in leases for each in one.addresses]
    shares = [(run.owner, Range(run.start, run.stop)) for run in divide(what, heirs)]
    return [Bundle(heir, ((ring, one),)) for heir, one in _uncut(shares, blocks)]


def _uncut(shares: Sequence[tuple[Peer, Range]], blocks: Sequence[Range]) -> list[tuple[Peer, Range]]:
    """The same shares, but that a cut through a block is left out."""
    pieces = [shares[0]]
    for (_, before), (heir, what) in pairwise(shares):
        if any(one.start < before.stop < one.stop for one in blocks):
            former, start = pieces[-1][0], pieces[-1][1].start
            pieces[-1] = (former, Range(start, what.stop))
        else:
            pieces.append((heir, what))
    return pieces


class _Group:
    """Stretches that go to one heir, and what keys hold of them."""

    def __init__(self, stretch: tuple[RingId, Range]) -> None:
        self.stretches = [stretch]
        self.leases: list[Allocation] = []

    @property
    def whole(self) -> bool:
        """Whether it must not be divided."""
        return len(self.stretches) > 1 or any(len(one.addresses) > 1 for one in self.leases)


def _groups(stretches: Sequence[tuple[RingId, Range]], leases: Iterable[Allocation]) -> list[_Group]:
    """
    The stretches in groups, so that no key holds something of two; in the order of their first ones.

    A stretch is left out if a key holds something of it and of addresses that are in no stretch.
    """
    group_of = {one: _Group(one) for one in stretches}
    stuck: list[tuple[RingId, Range]] = []
    for allocation in leases:
        places = [
            _place(stretches, RingId(allocation.network, one.family), one.range)
            for one in allocation.addresses
        ]
        met = [one for one in places if one is not None]
        if not met:
            continue
        if None in places:
            stuck += met
        first = group_of[min(met)]
        for one in met:
            other = group_of[one]
            if other is not first:
                first.stretches = sorted((*first.stretches, *other.stretches))
                first.leases += other.leases
                group_of.update(dict.fromkeys(other.stretches, first))
        first.leases.append(allocation)
    groups = list({id(group_of[one]): group_of[one] for one in stretches}.values())
    return [one for one in groups if not any(each in stuck for each in one.stretches)]


def _place(
    stretches: Sequence[tuple[RingId, Range]], ring: RingId, what: Range
) -> tuple[RingId, Range] | None:
    """The stretch that holds all of a range."""
    index = bisect_right(stretches, (ring, what.start), key=lambda one: (one[0], one[1].start)) - 1
    found = stretches[index] if index >= 0 else None
    return found if found and found[0] == ring and found[1].meet(what) == what else None


def _held(leases: Iterable[Allocation], ring: RingId) -> list[Range]:
    """What of a ring keys hold; sorted."""
    return sorted(
        each.range for one in leases for each in one.addresses if RingId(one.network, each.family) == ring
    )


def _is_known(holdings: Holdings, ring: RingId, what: Range, held: Sequence[Range]) -> bool:
    """Whether each assignable address of a stretch is free, rests, or is held by a key here."""
    first = bisect_right(held, what.start, key=lambda one: one.stop)
    last = bisect_left(held, what.stop, key=lambda one: one.start)
    used = sum(one.size for one in held[first:last])
    lent = subtract(meeting(holdings.loans.ranges(ring), what), held[first:last])
    known = used + sum(one.size for one in lent)
    assignable = 0
    for stock, piece in holdings.pools.stocks_in(ring, what):
        known += stock.space.free_within(piece)
        known += sum(one.size for one in stock.space.cooling_within(piece))
        assignable += piece.size
    return known == assignable
