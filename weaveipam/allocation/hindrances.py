"""
What keeps a daemon from leaving, or from having left, in sentences for operators.

Changes nothing.  Does not know who has heard of it, nor how anything is given away.
"""

from __future__ import annotations

from collections.abc import Sequence

from ring.address import Range, format_range, union
from ring.ring import Peer
from weaveipam.allocation.handover import movable
from weaveipam.allocation.holdings import Holdings
from weaveipam.protocol.values import Allocation, RingId

SHOWN_MAX = 10
"""Allocations that a sentence names; all are in the list."""


class Hindrances:
    """Of one node, by what it has now."""

    def __init__(self, me: Peer, holdings: Holdings) -> None:
        self._me = me
        self._holdings = holdings

    def owned(self) -> list[tuple[RingId, Range]]:
        """What this node has yet to give away."""
        rings = self._holdings.rings
        return [
            (ring, one)
            for ring in self._holdings.pools.rings()
            for one in union(Range(run.start, run.stop) for run in rings[ring].owned_by(self._me))
        ]

    def obstacles(self) -> list[Allocation]:
        """What cannot go along: pods' allocations, and what keys hold of others' addresses."""
        return [one for one in self._holdings.leases if not one.durable or self._is_foreign(one)]

    def _is_foreign(self, allocation: Allocation) -> bool:
        rings = self._holdings.rings
        return any(
            one.range.size
            != sum(
                run.stop - run.start
                for run in rings[RingId(allocation.network, one.family)].within(one.range)
                if run.owner == self._me
            )
            for one in allocation.addresses
        )

    def to_begin(self) -> str:
        """Why it cannot begin to leave, whoever is there; empty if it can."""
        pods = [one for one in self.obstacles() if not one.durable]
        if pods:
            return (
                f"allocations that only this daemon can release would be lost: {_named(pods)}; "
                "drain this node first, or release them"
            )
        contested = self._contested()
        return self._foreign() or (f"{contested} first" if contested else "")

    def to_end(self) -> str:
        """What else than grants has to be gone; empty if nothing has."""
        return self._foreign() or self._contested()

    def to_give(self) -> str:
        """Why what is owned cannot be given to members that would take it; empty if it can."""
        waits = self._contested() or self._foreign()
        if waits or movable(self._holdings, self._me):
            return waits
        ranges = ", ".join(format_range(ring.family, one) for ring, one in self.owned()[:SHOWN_MAX])
        return f"{ranges} cannot be given away yet: what others hold of it, or bring with it, is awaited"

    def _foreign(self) -> str:
        obstacles = self.obstacles()
        if not obstacles:
            return ""
        return f"keys here hold addresses that are another daemon's now: {_named(obstacles)}; release them"

    def _contested(self) -> str:
        ranges = [format_range(one.ring.family, one.range) for one in self._holdings.contests]
        return f"{', '.join(ranges)} is claimed by another daemon too: resolve that" if ranges else ""


def _named(allocations: Sequence[Allocation]) -> str:
    """Keys and addresses, as many as a sentence can hold."""
    shown = [
        f"{one.key} ({', '.join(format_range(each.family, each.range) for each in one.addresses)})"
        for one in allocations[:SHOWN_MAX]
    ]
    more = len(allocations) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
