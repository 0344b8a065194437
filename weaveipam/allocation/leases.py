"""
What this node has allocated, by key and by address.

Does not know pools' free space; the allocator keeps the two in step.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence

from ring.address import Range
from weaveipam.allocation.terms import Terms
from weaveipam.protocol.decisions import Span
from weaveipam.protocol.rollcalls import Use
from weaveipam.protocol.values import Allocation, Loan, RingId


class Leases:
    """The live allocations; look-ups by key are constant, by address logarithmic."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], Allocation] = {}
        self._by_start: dict[tuple[RingId, int], Allocation] = {}
        self._block_starts: dict[RingId, list[int]] = {}
        self.terms = Terms()
        """When those end that are given for a time."""

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Allocation]:
        """Sorted by network and key."""
        return iter(self._by_key[key] for key in sorted(self._by_key))

    def get(self, network: str, key: str) -> Allocation | None:
        """What a key holds."""
        return self._by_key.get((network, key))

    def at(self, ring: RingId, address: int) -> Allocation | None:
        """Who holds an address, alone or in a block."""
        single = self._by_start.get((ring, address))
        if single is not None:
            return single
        starts = self._block_starts.get(ring, [])
        index = bisect_right(starts, address) - 1
        if index < 0:
            return None
        block = self._by_start[ring, starts[index]]
        held = any(one.family is ring.family and address in one.range for one in block.addresses)
        return block if held else None

    def within(self, ring: RingId, what: Range) -> list[Allocation]:
        """The allocations that hold something of `what`; linear in the number of allocations."""
        return [
            one
            for one in self._by_key.values()
            if one.network == ring.network
            and any(held.family is ring.family and held.range.meet(what) for held in one.addresses)
        ]

    def loans(self, ring: RingId, what: Range) -> list[Loan]:
        """What keys hold of a range, whoever owns it; quick for a single address, else as `within`."""
        one = self.at(ring, what.start) if what.size == 1 else None
        found = ([] if one is None else [one]) if what.size == 1 else self.within(ring, what)
        return [
            Loan(ring, both, allocation.key)
            for allocation in found
            for held in allocation.addresses
            if held.family is ring.family and (both := held.range.meet(what))
        ]

    def uses(self, spans: Iterable[Span], away: Sequence[Allocation] = ()) -> Iterator[Use]:
        """What keys hold of some addresses, here or, as some allocations say, on the way to others."""
        for span in spans:
            for what in span.ranges:
                for lease in (*self.within(span.ring, what), *away):
                    for one in lease.addresses:
                        if one.range.meet(what) and RingId(lease.network, one.family) == span.ring:
                            yield Use(lease.key, span.ring, one.range)

    def starting_with(self, network: str, prefix: str) -> list[Allocation]:
        """The allocations of a network whose key has a prefix, sorted by key."""
        return [one for one in self if one.network == network and one.key.startswith(prefix)]

    def add(self, allocation: Allocation) -> None:
        """Remember an allocation; its key and its addresses are free here."""
        self._by_key[allocation.network, allocation.key] = allocation
        self.terms.add(allocation)
        for one in allocation.addresses:
            ring = RingId(allocation.network, one.family)
            assert (ring, one.range.start) not in self._by_start, "an address is allocated twice"
            self._by_start[ring, one.range.start] = allocation
            if one.range.size > 1:
                insort(self._block_starts.setdefault(ring, []), one.range.start)

    def remove(self, allocation: Allocation) -> None:
        """Forget an allocation that is here."""
        del self._by_key[allocation.network, allocation.key]
        self.terms.remove(allocation)
        for one in allocation.addresses:
            ring = RingId(allocation.network, one.family)
            del self._by_start[ring, one.range.start]
            if one.range.size > 1:
                self._block_starts[ring].remove(one.range.start)
