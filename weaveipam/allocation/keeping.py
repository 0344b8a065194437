"""
Addresses of this node's own that are kept for something: neither free, nor resting, nor leased.

They count as used, so nobody is given any of them, and they do not drift.  What becomes of them otherwise is
not stopped: another may turn out to own some, which may even come back and be leased here, or to hold some.
So what is put back is free only where nothing else is known of it.

Does not know what they are kept for.
"""

from __future__ import annotations

from collections.abc import Iterable

from ring.address import Range, meeting, subtract
from ring.ring import Peer
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Part
from weaveipam.protocol.values import RingId


class Keeper:
    """All that one node keeps."""

    def __init__(self, me: Peer, holdings: Holdings) -> None:
        self._me = me
        self._holdings = holdings
        self._kept: list[tuple[RingId, Range]] = []

    def keep(self, part: Part, what: Range) -> bool:
        """Keep a range from everybody; False, and nothing is kept, unless all of it is free here."""
        stock = self._holdings.pools.stocks[part]
        if stock.space.free_within(what) != what.size:
            return False
        if any(ring == part.ring and one.meet(what) for ring, one in self._kept):
            return False  # lost and gained again meanwhile
        stock.space.remove(what)
        stock.used += what.size
        self._kept.append((part.ring, what))
        return True

    def put_back(self, part: Part, what: Range) -> None:
        """A range that is kept is free again, as far as it is still this node's to give."""
        self._kept.remove((part.ring, what))
        stock = self._holdings.pools.stocks[part]
        stock.used -= what.size
        known = [
            *meeting(stock.space.free_ranges(), what),
            *(one for one in stock.space.cooling_ranges() if one.meet(what)),
            *(one.range for one in self._holdings.leases.loans(part.ring, what)),
        ]
        for one in subtract(self.own(part.ring, [what]), known):
            stock.space.add(one)

    def forget(self) -> None:
        """The pools are others, so all that this node owns has been counted anew: nothing is kept."""
        self._kept.clear()

    def own(self, ring: RingId, what: Iterable[Range]) -> tuple[Range, ...]:
        """What of some ranges is this node's alone, and no key at another peer holds; sorted, disjoint."""
        runs = [run for one in what for run in self._holdings.rings[ring].within(one)]
        owned = [Range(run.start, run.stop) for run in runs if run.owner == self._me]
        withheld = (self._holdings.contests.ranges(ring), self._holdings.loans.ranges(ring))
        return subtract(owned, [both for held in withheld for one in owned for both in meeting(held, one)])
