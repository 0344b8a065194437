"""
Giving this node's own addresses to keys, and taking them back.

What is free is taken first, and given to its key once all that the key wants was found; so one whose other
wishes fail has never held anything.  Does not know who asks, nor what is done where nothing is free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ring.address import Range
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Part
from weaveipam.allocation.rings import together
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Step
from weaveipam.protocol.records import Leased, RecordKey
from weaveipam.protocol.values import Allocation, RingId


class Taken(NamedTuple):
    """Addresses that are about to be given to a key."""

    part: Part
    range: Range
    rests_until: float
    """Seconds on the monotonic clock: when they would have rested; minus infinity: they were free."""


class Leasing:
    """What one node gives to keys."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def take(self, part: Part, size: int, within: Sequence[Range], *, cooling: bool) -> Taken | None:
        """Free addresses of a part, no longer free; cooling ones only when nothing else is left."""
        stock = self._holdings.pools.stocks[part]
        what, until = stock.space.allocate_block(size, within), -math.inf
        early = stock.space.allocate_early(size, within) if what is None and cooling else None
        if early is not None:
            until, what = early
        if what is None:
            return None
        stock.used += what.size
        return Taken(part, what, until)

    def put_back(self, taken: Taken) -> None:
        """What was taken is free again, or rests on: nobody ever heard of it."""
        stock = self._holdings.pools.stocks[taken.part]
        stock.used -= taken.range.size
        if taken.rests_until == -math.inf:
            stock.space.add(taken.range)
        else:
            stock.space.rest_on(taken.range, taken.rests_until)

    def lease(self, allocation: Allocation) -> Persist:
        """Give what was taken to its key; to be on disk before the key hears of it."""
        holdings = self._holdings
        holdings.leases.add(allocation)
        given = Persist((Leased(allocation),), (), _durability(durable=allocation.durable))
        return together(given, holdings.note_rests())

    def make_durable(self, held: Allocation) -> tuple[Allocation, Persist]:
        """A pod's allocation becomes one that survives the host; to be on disk before its key hears of it."""
        durable = replace(held, durable=True)
        self._holdings.leases.remove(held)
        self._holdings.leases.add(durable)
        return durable, Persist((Leased(durable),), (), Durability.HOST)

    def give_back(self, allocations: Iterable[Allocation], now: float) -> list[Step]:
        """The keys hold nothing any more; their addresses rest, and then they are free."""
        holdings = self._holdings
        ended: list[RecordKey] = []
        durable = False
        for allocation in allocations:
            holdings.foreign.release(allocation, holdings.rings)
            holdings.leases.remove(allocation)
            ended.append(Leased(allocation).record_key)
            durable = durable or allocation.durable
            for one in allocation.addresses:
                holdings.release(RingId(allocation.network, one.family), one, now)
        if not ended:
            return []
        taken = Persist((), tuple(ended), _durability(durable=durable))
        return [together(taken, holdings.note_rests())]


def _durability(*, durable: bool) -> Durability:
    return Durability.HOST if durable else Durability.PROCESS
