"""
What rests, as the disk remembers it: in the stocks, or set aside as a decision may take it away.

The stocks say where what rests there has changed; the records follow, so that each is exactly one of the
ranges in memory, however these were split.

Does not know why anything rests, nor for how long.
"""

from __future__ import annotations

from collections.abc import Iterable

from ring.address import Range, meeting
from weaveipam.allocation.pools import Pools
from weaveipam.protocol.decisions import Span
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
        self._vacated: dict[RingId, tuple[Range, ...]] = {}
        """Of which nothing is handed out."""
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
        """All that rests, in the stocks and aside, as there are about to be others; to be told to these."""
        resting = [
            Resting(part.ring, one)
            for part, stock in pools.stocks.items()
            for one in stock.space.cooling_ranges()
        ]
        resting += [Resting(ring, one) for (ring, _), one in self._aside.items()]
        self._aside.clear()
        self._vacated.clear()
        self._changed = dict.fromkeys(self._known)
        return resting

    def vacate(self, pools: Pools, spans: Iterable[Span]) -> None:
        """Hand out nothing of some addresses, and only of these, as a decision may take them away."""
        self._vacated = {span.ring: span.ranges for span in spans}
        for ring, ranges in self._vacated.items():
            for what in ranges:
                self.set_aside(pools, ring, what)

    def vacated(self, ring: RingId) -> tuple[Range, ...]:
        """Addresses of a ring that a decision may take away; sorted, disjoint."""
        return self._vacated.get(ring, ())

    def set_aside(self, pools: Pools, ring: RingId, what: Range) -> None:
        """Of a range that is free, or rests, only now hand out nothing that a decision may take away."""
        for both in meeting(self.vacated(ring), what):
            for stock, piece in pools.stocks_in(ring, both):
                for rests in stock.space.cooling_within(piece):
                    self._aside[ring, rests.start] = rests
                    self._changed[ring, rests.start] = None
            pools.freeze(ring, both)

    def note(self, pools: Pools) -> Persist | None:
        """What makes the disk remember what rests now, and no more; None if it does."""
        changed: dict[tuple[RingId, int], Range | None] = dict.fromkeys(self._changed)
        self._changed.clear()
        for part in list(pools.restless):
            space = pools.stocks[part].space
            for at, what in space.rests_changed():
                changed[part.ring, at] = what
            if not space.cooling_count:
                del pools.restless[part]
        if not changed:
            return None
        put: list[Record] = []
        delete: list[RecordKey] = []
        for place, rests in changed.items():
            what = rests or self._aside.get(place)
            known = self._known.get(place)
            if what is not None and what != known:
                self._known[place] = what
                put.append(Resting(place[0], what))
            elif what is None and known is not None:
                del self._known[place]
                delete.append(Resting(place[0], known).record_key)
        return Persist(tuple(put), tuple(delete), Durability.PROCESS) if put or delete else None
