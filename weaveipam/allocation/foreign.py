"""
Foreign addresses: leased here, and owned by another since; left to their users.

Does not know free space, nor who is asked to keep them.
"""

from __future__ import annotations

from ring.address import Range, format_range, union
from ring.ring import Peer
from weaveipam.allocation.leases import Leases
from weaveipam.allocation.rings import Rings
from weaveipam.protocol.effects import Level, Report
from weaveipam.protocol.values import Allocation, Loan, RingId


class Foreign:
    """The allocations of one node of which something may be another's, and what of them is."""

    def __init__(self, me: Peer) -> None:
        self._me = me
        self._held: dict[tuple[str, str], Allocation] = {}
        self.moved = False
        """Whether there may be something new about them; for whoever offers them to reset."""
        self.returned: list[Loan] = []
        """Those that were released here; for whoever tells their owners to empty."""

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, allocation: Allocation) -> None:
        """Something of it is another's."""
        self._held[allocation.network, allocation.key] = allocation
        self.moved = True

    def release(self, allocation: Allocation, rings: Rings) -> None:
        """Its key holds nothing any more; nothing if nothing of it was another's."""
        if self._held.pop((allocation.network, allocation.key), None) is not None:
            self.returned += [loan for loan, _ in self._of(allocation, rings)]

    def keep(self, rings: Rings) -> None:
        """Forget those of which nothing is another's any more."""
        self._held = {key: one for key, one in self._held.items() if self._of(one, rings)}

    def loans(self, rings: Rings) -> list[tuple[Loan, Peer]]:
        """What is foreign, and whose."""
        return [found for allocation in self._held.values() for found in self._of(allocation, rings)]

    def within(self, ring: RingId, what: Range) -> list[Range]:
        """What of a range these allocations hold, whoever owns it."""
        return [
            both
            for allocation in self._held.values()
            for one in allocation.addresses
            if RingId(allocation.network, one.family) == ring and (both := one.range.meet(what))
        ]

    def _of(self, allocation: Allocation, rings: Rings) -> list[tuple[Loan, Peer]]:
        found: list[tuple[Loan, Peer]] = []
        for one in allocation.addresses:
            ring = RingId(allocation.network, one.family)
            by: dict[Peer, list[Range]] = {}
            for run in rings[ring].within(one.range):
                if run.owner != self._me:
                    by.setdefault(run.owner, []).append(Range(run.start, run.stop))
            pieces = ((owner, piece) for owner, held in by.items() for piece in union(held))
            found += [(Loan(ring, piece, allocation.key), owner) for owner, piece in pieces]
        return found


def report_lost(ring: RingId, what: Range, rings: Rings, leases: Leases) -> Report:
    """That somebody else owns what this node did, and how much of it is in use here."""
    text = format_range(ring.family, what)
    run = rings[ring].at(what.start)
    owner = "nobody" if run is None else str(run.owner)
    used = sum(one.range.size for one in leases.loans(ring, what))
    detail = f"{text} was taken from this node; it is {owner}'s now; {used} addresses of it are in use here"
    level = Level.ERROR if used else Level.WARNING
    return Report(level, "ownership-lost", (("range", text), ("in_use", used), ("detail", detail)))
