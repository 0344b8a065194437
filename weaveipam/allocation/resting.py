"""
What rests, as the disk remembers it: in the stocks, or set aside as a decision may take it away.

The stocks say where what rests there has changed; the records follow, so that each is exactly one of the
ranges in memory, however these were split.  Does not know why anything rests, nor for how long.
"""

from __future__ import annotations

from collections.abc import Iterable

from ring.address import Range
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.effects import Durability, Persist
from weaveipam.protocol.records import Record, RecordKey, Resting
from weaveipam.protocol.values import RingId


class Rests:
    """The records of what rests at one node."""

    def __init__(self) -> None:
        self._known: dict[tuple[RingId, int], Range] = {}
        """What the disk remembers, or will before anything else is done: by its first address."""
        self._aside: dict[tuple[RingId, int], Range] = {}
        """What rests and is in no stock: if it is not taken away it rests anew."""
        self._changed: dict[tuple[RingId, int], None] = {}
        """Where memory and disk may differ, beside where the stocks say that they do."""

    def restore(self, records: Iterable[Resting]) -> None:
        """The disk remembers these; which of them still rest the stocks are about to say."""
        self._known = {(one.ring, one.range.start): one.range for one in records}
        self._changed = dict.fromkeys(self._known)

    def keys(self) -> tuple[RecordKey, ...]:
        """Of the records on disk, sorted."""
        return tuple(sorted(Resting(ring, what).record_key for (ring, _), what in self._known.items()))

    def end(self, pools: Pools) -> list[Resting]:
        """All that rests, as there are about to be other stocks; to be told to these."""
        resting = [
            Resting(part.ring, one)
            for part, stock in pools.stocks.items()
            for one in stock.space.cooling_ranges()
        ]
        resting += [Resting(ring, one) for (ring, _), one in self._aside.items()]
        self._aside.clear()
        self._changed = dict.fromkeys(self._known)
        return resting

    def set_aside(self, pools: Pools, ring: RingId, what: Range) -> None:
        """What of a range rests does so in no stock from now on."""
        for stock in pools.stocks_of(ring):
            for one in stock.space.cooling_ranges():
                both = one.meet(what)
                if both is not None:
                    self._aside[ring, both.start] = both
                    self._changed[ring, both.start] = None
                    stock.space.remove(both)

    def note(self, pools: Pools) -> tuple[list[Record], list[RecordKey]]:
        """What to put and what to delete, so that the disk remembers what rests now, and no more."""
        changed: dict[tuple[RingId, int], Range | None] = dict.fromkeys(self._changed)
        self._changed.clear()
        for part, stock in pools.stocks.items():
            changed.update(((part.ring, at), what) for at, what in stock.space.rests_changed())
        put: list[Record] = []
        delete: list[RecordKey] = []
        for (ring, at), rests in changed.items():
            what = rests or self._aside.get((ring, at))
            known = self._known.get((ring, at))
            if what is not None and what != known:
                self._known[ring, at] = what
                put.append(Resting(ring, what))
            elif what is None and known is not None:
                del self._known[ring, at]
                delete.append(Resting(ring, known).record_key)
        return put, delete

    def noted(self, pools: Pools) -> Persist | None:
        """As `note`, by itself; None if the disk remembers just that."""
        put, delete = self.note(pools)
        return Persist(tuple(put), tuple(delete), Durability.PROCESS) if put or delete else None
