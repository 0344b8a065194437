"""
An audit of what this node has: whether its rings are sound, its accounts add up, and owners are there.

What it finds that is no conflict; those are listed by `conflicts`.
Changes nothing.  Does not know how to mend what it finds.
"""

from __future__ import annotations

from collections.abc import Collection

from ring.address import Range, subtract, union
from ring.invariants import violations
from ring.ring import Peer
from weaveipam.allocation.holdings import Holdings
from weaveipam.allocation.pools import Part
from weaveipam.protocol.findings import Problem
from weaveipam.protocol.values import RingId


def audit(holdings: Holdings, me: Peer, reachable: Collection[Peer] | None) -> list[Problem]:
    """
    What is wrong; linear in the runs of the rings, the leases, and what is free.

    Args:
        holdings: Of this node.
        me: This node.
        reachable: Who is there; None: nobody can say yet.
    """
    problems: list[Problem] = []
    for ring in holdings.pools.rings():
        # A domain's touching ranges may be of two pools, and a run may span both.
        domain = union(holdings.pools.domain(ring))
        wrong = violations(holdings.rings[ring], domain)
        problems += [Problem("ring-unsound", f"ring {ring}: {one}; report it") for one in wrong]
        problems += [] if reachable is None else _away(holdings, ring, reachable)
    for part in holdings.pools.stocks:
        problems += _accounts(holdings, me, part)
    return problems


def _away(holdings: Holdings, ring: RingId, reachable: Collection[Peer]) -> list[Problem]:
    away: dict[Peer, int] = {}
    for run in holdings.rings[ring]:
        if run.owner not in reachable:
            away[run.owner] = away.get(run.owner, 0) + run.stop - run.start
    return [
        Problem(
            "owner-away",
            f"ring {ring}: {away[owner]} addresses are owned by {owner}, which is not there; start it "
            "again, or remove it from the cluster if it is gone for ever",
        )
        for owner in sorted(away)
    ]


def _accounts(holdings: Holdings, me: Peer, part: Part) -> list[Problem]:
    """Whether what is owned is what is free, cooling, leased and withheld, by an independent count."""
    stock, ring = holdings.pools.stocks[part], holdings.rings[part.ring]
    mine = [
        Range(run.start, run.stop) for one in stock.assignable for run in ring.within(one) if run.owner == me
    ]
    leased = [
        both
        for lease in holdings.leases
        for held in lease.addresses
        if RingId(lease.network, held.family) == part.ring
        for both in stock.meet(held.range)
    ]
    kept = (*leased, *holdings.contests.ranges(part.ring), *holdings.loans.ranges(part.ring))
    owned, free = _size(mine), _size(subtract(mine, kept))
    counted = stock.space.free_count + stock.space.cooling_count
    if (owned, free) == (stock.owned, counted) and stock.used == _size(leased):
        return []
    detail = (
        f"pool {part.pool}, ring {part.ring}: by the accounts {stock.owned} owned, {counted} free or cooling "
        f"and {stock.used} in use; by ring and leases {owned}, {free}, {_size(leased)}; report it"
    )
    return [Problem("accounts-wrong", detail)]


def _size(ranges: Collection[Range]) -> int:
    return sum(one.size for one in ranges)
