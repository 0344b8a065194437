"""
What this node owns and keys at other peers hold: addresses lent to whoever had them before it became owner.

Does not know what is free, nor how holders are asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ring.address import Range, subtract, union
from ring.ring import Peer
from weaveipam.protocol.records import Lent, RecordKey
from weaveipam.protocol.values import RingId

LOANS_MAX = 1 << 16
"""More are not believed: a peer that makes them up must not fill memory and disk."""


class Loans:
    """The lent addresses of one node; two holders may have one address, and then it is in use twice."""

    def __init__(self) -> None:
        self._held: dict[RecordKey, Lent] = {}
        self._shelves: dict[RingId, _Shelf] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Lent]:
        """By ring, address and holder's name."""
        return iter([self._held[key] for key in sorted(self._held)])

    def get(self, lent: Lent) -> Lent | None:
        """The same loan to the same name, perhaps to another life."""
        return self._held.get(lent.record_key)

    def ranges(self, ring: RingId) -> tuple[Range, ...]:
        """All that is lent of a ring; sorted, disjoint."""
        shelf = self._shelves.get(ring)
        return () if shelf is None else shelf.ranges

    def meeting(self, ring: RingId, what: Range) -> list[Lent]:
        """Those that share an address with `what`, by their first address."""
        shelf = self._shelves.get(ring)
        if shelf is None:
            return []
        low = bisect_right(shelf.starts, what.start - shelf.longest)
        high = bisect_left(shelf.starts, what.stop)
        return [one for one in shelf.lent[low:high] if one.loan.range.meet(what)]

    def change(self, put: Iterable[Lent], gone: Iterable[Lent]) -> None:
        """Forget some and remember others, as their records are on disk from now on."""
        touched: dict[RingId, None] = {}
        for one in gone:
            self._held.pop(one.record_key, None)
            touched[one.loan.ring] = None
        for one in put:
            self._held[one.record_key] = one
            touched[one.loan.ring] = None
        for ring in touched:
            self._shelves[ring] = _Shelf([one for one in self if one.loan.ring == ring])

    def part_with(self, ring: RingId, what: Range) -> tuple[list[Lent], list[Lent], list[RecordKey]]:
        """Keep a range for nobody any more: what was lent of it, and what to put and to delete."""
        before = self.meeting(ring, what)
        left = [piece for one in before for piece in without(one, what)]
        given = [
            replace(one, loan=replace(one.loan, range=both))
            for one in before
            if (both := one.loan.range.meet(what)) is not None
        ]
        self.change(left, before)
        return given, left, [one.record_key for one in before]


class _Shelf:
    """The loans of one ring, to be found by their addresses."""

    def __init__(self, lent: list[Lent]) -> None:
        self.lent = lent
        """By their first address."""
        self.starts = [one.loan.range.start for one in lent]
        self.longest = max((one.loan.range.size for one in lent), default=0)
        self.ranges = union(one.loan.range for one in lent)


def without(lent: Lent, lost: Range) -> list[Lent]:
    """What is left of a loan when its owner has lost a range."""
    return [
        replace(lent, loan=replace(lent.loan, range=piece)) for piece in subtract([lent.loan.range], [lost])
    ]


def is_same_or_earlier(life: Peer, peer: Peer) -> bool:
    """Whether a life is this one of a peer, or one before it."""
    return life.name == peer.name and life <= peer
