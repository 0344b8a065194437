"""
Giving this node's own addresses to keys, and taking them back.

What is free is taken first, and given to its key once all that the key wants was found; so one whose other
wishes fail has never held anything.  Does not know who asks, nor what is done where nothing is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ring.address import Range
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Part
from weaveipam.allocation.rings import together
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.messages import Step
from weaveipam.protocol.records import Leased, RecordKey
from weaveipam.protocol.values import Allocation, Assigned, RingId


class Leasing:
    """What one node gives to keys."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def take(self, part: Part, size: int, within: Sequence[Range], *, cooling: bool) -> Range | None:
        """Free addresses of a part, no longer free; cooling ones only when nothing else is left."""
        stock = self._holdings.pools.stocks[part]
        if size == 1:
            address = stock.space.allocate(within, cooling=cooling)
            what = None if address is None else Range(address, address + 1)
        else:
            what = stock.space.allocate_block(size, within, cooling=cooling)
        if what is not None:
            stock.used += what.size
        return what

    def put_back(self, network: str, one: Assigned) -> None:
        """What was taken is free again: nobody ever heard of it."""
        ring = RingId(network, one.family)
        self._holdings.pools.disuse(ring, one.range)
        for stock, what in self._holdings.pools.stocks_in(ring, one.range):
            stock.space.add(what)

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
