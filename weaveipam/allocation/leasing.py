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

OVER_MAX = 1024
"""Allocations that end at once: others are served in between when many do."""


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

    def renew(
        self, held: Allocation, now: float, *, durable: bool, ttl_s: int | None
    ) -> tuple[Allocation, Persist | None]:
        """
        A key asks again for what it has: its time, if any, begins anew.

        Args:
            held: What it has.
            now: Seconds on the monotonic clock.
            durable: Whether it shall survive the host from now on.
            ttl_s: How long it shall last from now on; None: as long as before.

        Returns:
            What it has now, and what is to be on disk before it hears of that, if anything has changed.
        """
        leases = self._holdings.leases
        renewed = replace(held, durable=durable or held.durable, ttl_s=held.ttl_s if ttl_s is None else ttl_s)
        if renewed == held:
            leases.terms.renew(held, now)
            return held, None
        leases.remove(held)
        leases.add(renewed)
        leases.terms.begin(now)
        return renewed, Persist((Leased(renewed),), (), _durability(durable=renewed.durable))

    def take_over(self, now: float) -> tuple[Allocation, ...]:
        """Whose time is over, at most `OVER_MAX` of them: to be given back."""
        leases = self._holdings.leases
        leases.terms.begin(now)
        held = (leases.get(network, key) for network, key in leases.terms.take_over(now, OVER_MAX))
        return tuple(one for one in held if one is not None)

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
